//! Merging value trees, and finding keys that do not exist.

use super::error::ConfigError;
use super::yaml;
use dtrp_text::{nearest, shortened};
use serde_json::{Map, Value};
use std::str::FromStr;

/// A `--set PATH=VALUE`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Set {
    text: String,
    path: String,
    value: Value,
}

/// The most parts of a path.
const DEEPEST: usize = 32;

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
        if path.split('.').count() > DEEPEST {
            return Err(format!(
                "the path has more than {DEEPEST} parts, and no key is that deep"
            ));
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

    /// The key.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What it is set to.
    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// Whether it gives the value at `path`: by that path, by one inside it, or by a section in which it stands.
    pub(super) fn gives(&self, path: &str) -> bool {
        match path.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix('.')) {
            Some(rest) => self.value.pointer(&format!("/{}", rest.replace('.', "/"))).is_some(),
            None => self.concerns(path),
        }
    }

    /// Whether it sets the key, or a part of it, or a section that has it.
    pub(crate) fn concerns(&self, path: &str) -> bool {
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
    set.map_or_else(|| file.to_owned(), told)
}

/// A set as it was typed.
pub(super) fn told(set: &Set) -> String {
    let text = shortened(&set.text);
    if set.text.starts_with("--") {
        text.into_owned()
    } else {
        format!("--set {text}")
    }
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
                origin: format!("--set {}", shortened(&set.text)),
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

/// Takes back what `file` has in a section, but for these keys and what was set one by one.
pub(super) fn forget(tree: &mut Value, file: &Value, section: &str, keep: &[&str], sets: &[Set]) {
    let Some(Value::Object(given)) = file.get(section) else {
        return;
    };
    let Some(Value::Object(section_tree)) = tree.get_mut(section) else {
        return;
    };
    for key in given.keys().filter(|key| !keep.contains(&key.as_str())) {
        let path = join(section, key);
        if !sets.iter().any(|set| set.concerns(&path)) {
            section_tree.shift_remove(key);
        }
    }
}

/// The section whose options belong to families of models, which know them.
const MODEL: &str = "model";

/// The section in which the options of data sets stand.
const DATA: &str = "data";

/// Every key that there is, with its default.
pub(super) struct Known {
    pub(super) tree: Value,
    /// Of some data set.
    data_options: Vec<&'static str>,
}

impl Known {
    pub(super) fn new(tree: Value) -> Self {
        let sets = dtrp_data::list();
        let options = sets.iter().flat_map(|set| set.options);
        Self {
            tree,
            data_options: options.map(|option| option.name).collect(),
        }
    }

    /// Checks that every key given is one of these.
    pub(super) fn check_keys(&self, given: &Value, origin: &dyn Fn(&str) -> String) -> Result<(), ConfigError> {
        match given {
            Value::Object(_) | Value::Null => self.walk(given, &self.tree, "", origin),
            other => Err(ConfigError::Value {
                origin: origin(""),
                path: "the whole configuration".to_owned(),
                value: yaml::inline(other),
                expected: "sections of keys and values".to_owned(),
            }),
        }
    }

    fn walk(
        &self,
        given: &Value,
        defaults: &Value,
        path: &str,
        origin: &dyn Fn(&str) -> String,
    ) -> Result<(), ConfigError> {
        let (given, defaults) = match (given, defaults) {
            (Value::Object(given), Value::Object(defaults)) => (given, defaults),
            // serde would read a list as the section's keys, one after another.
            (Value::Array(_), Value::Object(_)) => {
                return Err(ConfigError::Value {
                    origin: origin(path),
                    path: path.to_owned(),
                    value: yaml::inline(given),
                    expected: "a section of keys and values".to_owned(),
                });
            }
            _ => return Ok(()),
        };
        for (key, value) in given {
            let here = join(path, key);
            match defaults.get(key) {
                Some(default) => self.walk(value, default, &here, origin)?,
                None if path == MODEL => {}
                None if path == DATA && self.data_options.contains(&key.as_str()) => {}
                None => {
                    let mut keys: Vec<_> = defaults.keys().map(String::as_str).collect();
                    if path == DATA {
                        keys.extend(&self.data_options);
                    }
                    let section = if path.is_empty() {
                        "here".to_owned()
                    } else {
                        format!("of {path}")
                    };
                    return Err(ConfigError::UnknownKey {
                        origin: origin(&here),
                        nearest: self.nearest(key, path, &keys),
                        known: format!("the keys {section} are {}", keys.join(", ")),
                        path: here,
                    });
                }
            }
        }
        Ok(())
    }

    /// The path of the valid key most like `key`: of the same section, else of any.
    fn nearest(&self, key: &str, section: &str, siblings: &[&str]) -> Option<String> {
        if let Some(found) = nearest(key, siblings.iter().copied()) {
            return Some(join(section, found));
        }
        let mut paths = Vec::new();
        collect(&self.tree, "", &mut paths);
        let name = |path: &String| path.rsplit('.').next().unwrap_or_default().to_owned();
        let names: Vec<String> = paths.iter().map(name).collect();
        let found = nearest(key, names.iter().map(String::as_str))?;
        let place = names.iter().position(|name| name == found)?;
        paths.get(place).cloned()
    }
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
