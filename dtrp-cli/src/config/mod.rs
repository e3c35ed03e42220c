//! Configuration: defaults ← YAML file ← `--set`, merged as trees, checked, and only then made into the library's settings.

mod error;
mod layers;
mod lines;
mod merge;
mod name;
mod origin;
mod paths;
mod program;
mod yaml;

pub(crate) use error::ConfigError;
pub(crate) use layers::Layers;
pub(crate) use merge::Set;
pub(crate) use origin::Origin;
pub(crate) use paths::{expanded, path_argument};
pub(crate) use program::{ProgramKeys, ProgressKind};

use dtrp_core::schedule::Method;
use dtrp_text::{OptionError, Options, read_text};
use dtrp_train::Settings;
use dtrp_train::settings::DataSettings;
use origin::Given;
use serde::Deserialize;
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

/// A whole configuration: what is trained, and what this program does around it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Config {
    pub(crate) settings: Settings,
    pub(crate) program: ProgramKeys,
    /// The keys that were set one by one, on the command line.
    sets: Vec<Set>,
    /// What the rest comes from, as it is told.
    file: String,
    /// Which keys that has, and where.
    given: Given,
}

impl Config {
    /// Reads, merges and checks a configuration. Without a file it is the built-in one; `-` is stdin.
    pub(crate) fn load(file: Option<&PathBuf>, built_in: BuiltIn, sets: &[Set]) -> Result<Self, ConfigError> {
        let (name, text) = read(file, built_in)?;
        Self::parse(&name, &text, sets)
    }

    /// With the settings in force, in which what was measured stands instead of what was asked for.
    pub(crate) fn resolved(mut self, settings: &Settings) -> Self {
        self.settings = settings.clone();
        if !settings.method.goes_by_costs() {
            self.program.method.costs = None;
        }
        // The usual name says what ran, also where the program came from a file.
        self.program.run.name = Some(self.run_name());
        self
    }

    /// Whether the key, or a part of it, was set on the command line.
    pub(crate) fn was_set(&self, key: &str) -> bool {
        self.sets.iter().any(|set| set.gives(key))
    }

    /// Where the value of a key comes from, and the key: `--set model.depth=9: model.depth`.
    pub(crate) fn place(&self, key: &str) -> String {
        format!("{}: {key}", merge::origin(&self.file, &self.sets, key))
    }

    /// As YAML, every key in one order.
    pub(crate) fn to_yaml(&self) -> Result<String, ConfigError> {
        yaml::to_text(&self.tree())
    }

    /// The name of the run's folder.
    pub(crate) fn run_name(&self) -> String {
        let given = self.program.run.name.clone();
        given.unwrap_or_else(|| name::default_name(&self.settings, &self.sets))
    }

    fn tree(&self) -> Value {
        self.program
            .beside(serde_json::to_value(&self.settings).unwrap_or(Value::Null))
    }

    /// Merges and checks the text of a file that is told as `name`.
    pub(crate) fn parse(name: &str, text: &str, sets: &[Set]) -> Result<Self, ConfigError> {
        let defaults = merge::Known::new(Self::default().tree());
        let mut given = yaml::parse(text).map_err(|message| ConfigError::Syntax {
            origin: name.to_owned(),
            message,
        })?;
        let origin = |path: &str| merge::origin(name, sets, path);
        defaults.check_keys(&given, &origin)?;
        let family = |tree: &Value| tree.pointer("/model/name").cloned();
        let before = family(&given);
        let file = given.clone();
        for set in sets {
            merge::apply(&mut given, set)?;
            defaults.check_keys(&given, &origin)?;
        }
        if family(&given) != before {
            // Options of another family, which nobody has set, do not come along.
            merge::forget(
                &mut given,
                &file,
                "model",
                &["name", "init_from", "init_sha256", "fresh"],
                sets,
            );
        }
        let in_file = Given::new(text, given.clone());
        let tree = merge::over(defaults.tree, given);
        let (settings, program) = ProgramKeys::split(tree);
        let mut config = Self {
            program: from_tree(program, &origin)?,
            settings: from_tree(settings, &origin)?,
            sets: sets.to_vec(),
            file: name.to_owned(),
            given: in_file,
        };
        let wrong = |error: dtrp_train::settings::SettingError| ConfigError::Value {
            origin: origin(error.key),
            path: error.key.to_owned(),
            value: error.value,
            expected: error.expected,
        };
        config.expand_home(&origin)?;
        if config.was_set("model.init_from") && !config.was_set("model.init_sha256") {
            // The file's is that of the file's weights.
            config.settings.model.init_sha256 = None;
            config.given.forget("model", "init_sha256");
        }
        check_data_options(&mut config.settings.data)
            .map_err(|error| ConfigError::of_option("data", error, &origin))?;
        config.settings.check().map_err(&wrong)?;
        config.program.check(&config.settings).map_err(&wrong)?;
        if config.was_set("method.name") && !config.was_set("method.order") {
            config.drop_foreign_order();
        }
        config.settings = config.settings.resolved();
        Ok(config)
    }

    /// The order in a file is that of the method in that file, and a resolved configuration always has one: it must not be in
    /// the way of another method, chosen later, that cannot be laid out in it.
    fn drop_foreign_order(&mut self) {
        let section = &mut self.settings.method;
        if let (Ok(method), Some(order)) = (Method::named(&section.name), section.order)
            && !method.orders.contains(&order)
        {
            section.order = None;
            self.given.forget("method", "order");
        }
    }
}

/// Checks the values of a data set's options, and drops what says nothing: configurations of earlier versions have every key of
/// every set, those that this one does not know with the values that they have where nobody sets them.
fn check_data_options(data: &mut DataSettings) -> Result<(), OptionError> {
    let Ok(set) = dtrp_data::find(&data.name) else {
        // Whose options they are is not known; that there is no such set is told later.
        return Ok(());
    };
    let all = dtrp_data::list();
    let mut result = Ok(());
    data.options.retain(|name, value| {
        let own = set.options.iter().find(|option| option.name == name);
        let others = all.iter().flat_map(|set| set.options);
        let Some(spec) = own.or_else(|| others.clone().find(|option| option.name == name)) else {
            return true;
        };
        let given = serde_json::json!({ name: value });
        if let Err(error) = Options::new("data set", set.name, std::slice::from_ref(spec), &given) {
            result = std::mem::replace(&mut result, Ok(())).and(Err(error));
        }
        own.is_some() || spec.kind.default() != *value
    });
    result
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
        (path.display().to_string(), read_text(path))
    };
    match text {
        Ok(text) => Ok((name, text)),
        Err(source) => Err(ConfigError::Read { origin: name, source }),
    }
}

fn from_tree<T: for<'de> Deserialize<'de>>(tree: Value, origin: &dyn Fn(&str) -> String) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(&tree).map_err(|error| {
        let path = error.path().to_string();
        let pointer = path.replace(['.', '['], "/").replace(']', "");
        let found = tree.pointer(&format!("/{pointer}")).unwrap_or(&Value::Null);
        ConfigError::wrong(&path, found, &error.inner().to_string(), origin)
    })
}

#[cfg(test)]
mod tests;
