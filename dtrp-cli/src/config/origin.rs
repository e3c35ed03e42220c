//! Where each value of a configuration comes from.

use super::merge::Set;
use super::{Config, lines, yaml};
use serde_json::Value;
use std::collections::BTreeMap;

/// A key, its value in one line, and where that comes from: `default`, the file with the line where that is known, or `--set …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) from: String,
}

/// What file and `--set` give, merged, and the lines of the file's keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    tree: Value,
    lines: BTreeMap<String, usize>,
}

/// Configurations are equal that say the same, on whatever lines.
impl PartialEq for Given {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Given {
    pub(super) fn new(text: &str, tree: Value) -> Self {
        Self {
            tree,
            lines: lines::of_keys(text),
        }
    }

    /// The value of a key is not taken from there after all.
    pub(super) fn forget(&mut self, section: &str, key: &str) {
        if let Some(Value::Object(section)) = self.tree.get_mut(section) {
            section.shift_remove(key);
        }
    }

    /// The line of the key, or of the section that it stands in.
    fn line(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return Some(*line);
            }
            key = key.rsplit_once('.')?.0;
        }
    }
}

impl Config {
    /// Of every key, in the order of `dtrp config show`.
    pub(crate) fn origins(&self) -> Vec<Origin> {
        let mut all = Vec::new();
        leaves("", &self.tree(), &mut |key, value| {
            all.push(Origin {
                key: key.to_owned(),
                value: yaml::inline(value).trim_matches('`').to_owned(),
                from: self.from(key),
            });
        });
        all
    }

    fn from(&self, key: &str) -> String {
        if !is_given(&self.given.tree, key) {
            return "default".to_owned();
        }
        let sets = self.sets.iter().rev();
        let gives = |set: &&Set| match key.strip_prefix(set.path()) {
            Some("") => true,
            Some(rest) => rest.strip_prefix('.').is_some_and(|rest| is_given(set.value(), rest)),
            // A part of a value that is one for us, such as a predictor's options.
            None => set.path().strip_prefix(key).is_some_and(|rest| rest.starts_with('.')),
        };
        if let Some(set) = sets.clone().find(gives) {
            return super::merge::told(set);
        }
        match self.given.line(key) {
            Some(line) => format!("{}, line {line}", self.file),
            None => self.file.clone(),
        }
    }
}

/// Whether there is a value at the path, or one that stands for the whole section that it is in.
fn is_given(tree: &Value, path: &str) -> bool {
    let mut place = tree;
    for key in path.split('.') {
        match place {
            Value::Object(section) => match section.get(key) {
                Some(value) => place = value,
                None => return false,
            },
            Value::Null => return false,
            _ => return true,
        }
    }
    true
}

fn leaves(path: &str, value: &Value, tell: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(section) if path.is_empty() || !section.is_empty() => {
            for (key, value) in section {
                let here = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                leaves(&here, value, tell);
            }
        }
        value => tell(path, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str, sets: &[&str], key: &str) -> String {
        let sets: Vec<Set> = sets.iter().map(|set| set.parse().unwrap()).collect();
        let origins = Config::parse("x.yaml", text, &sets).unwrap().origins();
        let found = origins.into_iter().find(|origin| origin.key == key);
        found.unwrap_or_else(|| panic!("no {key}")).from
    }

    #[test]
    fn every_value_comes_from_somewhere() {
        let text =
            "run:\n  seed: 3\noptimizer: {lr: 0.5}\nmethod:\n  predictor: momentum\nmodel:\n  depth: 14\ndata:\n";
        for (sets, key, right) in [
            (&[][..], "run.seed", "x.yaml, line 2"),
            (&[], "run.epochs", "default"),
            (&[], "optimizer.lr", "x.yaml, line 3"),
            (&[], "optimizer.momentum", "default"),
            (&[], "method.order", "default"),
            (&[], "model.depth", "x.yaml, line 7"),
            (&[], "data.name", "default"),
            (&[], "logging.csv", "default"),
            (&["run.seed=4", "run.seed=5"], "run.seed", "--set run.seed=5"),
            (&["optimizer={lr: 1}"], "optimizer.lr", "--set optimizer={lr: 1}"),
            (&["optimizer={lr: 1}"], "optimizer.momentum", "default"),
            // Options of another family do not come along.
            (
                &["model.name=resnet", "model.depth=18"],
                "model.depth",
                "--set model.depth=18",
            ),
            (
                &["optimizer.schedule.gamma=0.3"],
                "optimizer.schedule.gamma",
                "--set optimizer.schedule.gamma=0.3",
            ),
            (&["run.dir=elsewhere"], "run.dir", "--set run.dir=elsewhere"),
        ] {
            assert_eq!(from(text, sets, key), right, "{sets:?} {key}");
        }
        // The order of a method that has no such one is dropped with its place.
        let eager = "method: {name: dtrp, order: eager, modules: 2}\n";
        assert_eq!(from(eager, &[], "method.order"), "x.yaml, line 1");
        assert_eq!(from(eager, &["method.name=bp"], "method.order"), "default");
    }
}
