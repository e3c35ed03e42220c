//! Merging value trees, and finding keys that do not exist.

use super::error::ConfigError;
use super::{model, yaml};
use serde_json::{Map, Value};
use std::str::FromStr;

/// A `--set PATH=VALUE`.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    text: String,
    path: String,
    value: Value,
}

impl FromStr for Set {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text
            .split_once('=')
            .ok_or("write it as PATH=VALUE, such as optimizer.lr=0.1")?;
        let path = path.trim();
        if path.is_empty() || path.split('.').any(str::is_empty) {
            return Err(format!("`{path}` is not a path such as optimizer.lr"));
        }
        Ok(Self {
            path: path.to_owned(),
            value: yaml::parse(value)?,
            text: text.to_owned(),
        })
    }
}

impl std::fmt::Display for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Set {
    /// Sets `path` to a text, as a flag named `flag` does.
    pub(crate) fn by_flag(flag: &str, path: &str, value: &str) -> Self {
        Self {
            text: format!("{flag} {value}"),
            path: path.to_owned(),
            value: value.into(),
        }
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn concerns(&self, path: &str) -> bool {
        let inside = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        inside(&self.path, path) || inside(path, &self.path)
    }
}

/// Who is to blame for the value at `path`: the last `--set` that touches it, else the file.
pub(super) fn origin(file: &str, sets: &[Set], path: &str) -> String {
    let set = sets.iter().rev().find(|set| set.concerns(path));
    set.map_or_else(
        || file.to_owned(),
        |set| match set.text.starts_with("--") {
            true => set.text.clone(),
            false => format!("--set {}", set.text),
        },
    )
}

/// Replaces the value at the set's path; sections on the way are made where they are missing.
pub(super) fn apply(tree: &mut Value, set: &Set) -> Result<(), ConfigError> {
    let mut place = tree;
    let mut walked = String::new();
    for key in set.path.split('.') {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let found = yaml::inline(place);
        let Value::Object(section) = place else {
            return Err(ConfigError::Value {
                origin: format!("--set {}", set.text),
                path: walked,
                value: found,
                expected: "a section of keys and values to have keys of its own".to_owned(),
            });
        };
        place = section.entry(key).or_insert(Value::Null);
        walked = join(&walked, key);
    }
    *place = set.value.clone();
    Ok(())
}

/// The defaults with everything that is given in their place. A section that is given as null keeps its defaults.
pub(super) fn over(defaults: Value, given: Value) -> Value {
    match (defaults, given) {
        (Value::Object(mut defaults), Value::Object(given)) => {
            for (key, value) in given {
                let default = defaults.remove(&key).unwrap_or(Value::Null);
                defaults.insert(key, over(default, value));
            }
            Value::Object(defaults)
        }
        (defaults @ Value::Object(_), Value::Null) => defaults,
        (_, given) => given,
    }
}

/// Checks that every key given is one of the defaults'.
pub(super) fn check_keys(given: &Value, defaults: &Value, origin: &dyn Fn(&str) -> String) -> Result<(), ConfigError> {
    match given {
        Value::Object(_) | Value::Null => walk(given, defaults, defaults, "", origin),
        other => Err(ConfigError::Value {
            origin: origin(""),
            path: "the whole configuration".to_owned(),
            value: yaml::inline(other),
            expected: "sections of keys and values".to_owned(),
        }),
    }
}

fn walk(
    given: &Value,
    defaults: &Value,
    all: &Value,
    path: &str,
    origin: &dyn Fn(&str) -> String,
) -> Result<(), ConfigError> {
    let (Value::Object(given), Value::Object(defaults)) = (given, defaults) else {
        return Ok(());
    };
    for (key, value) in given {
        let here = join(path, key);
        match defaults.get(key) {
            Some(default) => walk(value, default, all, &here, origin)?,
            // The families of models know their options.
            None if path == model::SECTION => {}
            None => {
                let keys: Vec<_> = defaults.keys().map(String::as_str).collect();
                return Err(ConfigError::UnknownKey {
                    origin: origin(&here),
                    nearest: nearest(key, path, all),
                    known: format!(
                        "the keys {} are {}",
                        if path.is_empty() {
                            "here".to_owned()
                        } else {
                            format!("of {path}")
                        },
                        keys.join(", ")
                    ),
                    path: here,
                });
            }
        }
    }
    Ok(())
}

/// The path of the valid key most like `key`: best in the same section, else anywhere.
fn nearest(key: &str, section: &str, all: &Value) -> Option<String> {
    let mut paths = Vec::new();
    collect(all, "", &mut paths);
    let likeness = |path: &String| {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let at_home = if parent == section { 0.2 } else { 0.0 };
        strsim::normalized_damerau_levenshtein(&key.to_lowercase(), name) + at_home
    };
    let scored = paths.iter().map(|path| (likeness(path), path));
    let (score, best) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score >= 0.7).then(|| best.clone())
}

fn collect(tree: &Value, path: &str, paths: &mut Vec<String>) {
    let Value::Object(section) = tree else {
        return;
    };
    for (key, value) in section {
        let here = join(path, key);
        collect(value, &here, paths);
        paths.push(here);
    }
}

fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}
