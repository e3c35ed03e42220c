//! Configuration: defaults ← YAML file ← `--set`, merged as trees, checked, and only then made into structs.

mod check;
mod error;
mod merge;
mod method;
mod model;
mod resolve;
mod sections;
mod yaml;

pub(crate) use error::ConfigError;
pub(crate) use merge::Set;
pub(crate) use method::CutsAt;
pub(crate) use sections::{
    Config, Devices, Dtype, Executor, Method, Optimizer, OptimizerName, Precision, ProgressKind, RateRule,
    RateSchedule, ScheduleName, TraceKind,
};

use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;

/// What `dtrp train` trains when it is not told anything: `configs/digits.yaml`.
pub(crate) const DIGITS: BuiltIn = BuiltIn {
    name: "configs/digits.yaml (built in)",
    text: include_str!("../../../configs/digits.yaml"),
};

/// What `dtrp bench` measures when it is not told anything: `configs/bench.yaml`.
pub(crate) const BENCH: BuiltIn = BuiltIn {
    name: "configs/bench.yaml (built in)",
    text: include_str!("../../../configs/bench.yaml"),
};

/// A configuration that is part of the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuiltIn {
    name: &'static str,
    text: &'static str,
}

/// Reads, merges and checks a configuration. Without a file it is the built-in one; `-` is stdin.
pub(crate) fn load(file: Option<&PathBuf>, built_in: BuiltIn, sets: &[Set]) -> Result<Config, ConfigError> {
    let (name, text) = read(file, built_in)?;
    parse(&name, &text, sets)
}

/// The configuration as YAML.
pub(crate) fn to_yaml(config: &Config) -> Result<String, ConfigError> {
    as_yaml(config)
}

/// Anything that can be serialised, as YAML.
pub(crate) fn as_yaml(value: &impl serde::Serialize) -> Result<String, ConfigError> {
    let tree = serde_json::to_value(value).map_err(|error| ConfigError::Syntax {
        origin: "the values to write".to_owned(),
        message: error.to_string(),
    })?;
    yaml::to_text(&tree)
}

/// Reads YAML that is no configuration.
///
/// # Errors
///
/// What is wrong with the text, and where.
pub(crate) fn parse_yaml(text: &str) -> Result<Value, String> {
    yaml::parse(text)
}

fn read(file: Option<&PathBuf>, built_in: BuiltIn) -> Result<(String, String), ConfigError> {
    let Some(path) = file else {
        return Ok((built_in.name.to_owned(), built_in.text.to_owned()));
    };
    let (name, text) = if path.as_os_str() == "-" {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        ("stdin".to_owned(), read.map(|_| text))
    } else {
        (path.display().to_string(), std::fs::read_to_string(path))
    };
    match text {
        Ok(text) => Ok((name, text)),
        Err(source) => Err(ConfigError::Read { origin: name, source }),
    }
}

fn parse(name: &str, text: &str, sets: &[Set]) -> Result<Config, ConfigError> {
    let defaults = serde_json::to_value(Config::default()).unwrap_or(Value::Null);
    let mut given = yaml::parse(text).map_err(|message| ConfigError::Syntax {
        origin: name.to_owned(),
        message,
    })?;
    let origin = |path: &str| merge::origin(name, sets, path);
    merge::check_keys(&given, &defaults, &origin)?;
    for set in sets {
        merge::apply(&mut given, set)?;
        merge::check_keys(&given, &defaults, &origin)?;
    }
    let merged = merge::over(defaults, given);
    let mut config = from_tree(merged, &origin)?;
    check::values(&config, &origin)?;
    let set = |path: &str| sets.iter().any(|set| set.concerns(path));
    if set("method.name") && !set("method.order") {
        resolve::drop_foreign_order(&mut config.method);
    }
    Ok(resolve::fill(config))
}

fn from_tree(tree: Value, origin: &dyn Fn(&str) -> String) -> Result<Config, ConfigError> {
    serde_path_to_error::deserialize(&tree).map_err(|error| {
        let path = error.path().to_string();
        let pointer = path.replace(['.', '['], "/").replace(']', "");
        let found = tree.pointer(&format!("/{pointer}")).unwrap_or(&Value::Null);
        ConfigError::wrong(&path, found, &error.inner().to_string(), origin)
    })
}

#[cfg(test)]
mod tests;
