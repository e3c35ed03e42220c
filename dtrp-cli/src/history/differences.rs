//! The keys in which configurations differ.

use super::{Group, History};
use serde_json::Value;
use std::collections::BTreeMap;

/// A key that has not the same value in all runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Its path, as `method.name`.
    pub(crate) key: String,
    /// For each group its value; `None` where it has no such key.
    pub(crate) values: Vec<Option<String>>,
}

/// The keys in which the groups differ, in the order of the configuration. The seeds of a group are told together.
pub(crate) fn differences(groups: &[Group<'_>]) -> Vec<Difference> {
    let mut keys: Vec<String> = Vec::new();
    let mut all: Vec<BTreeMap<String, String>> = Vec::new();
    for group in groups {
        let mut leaves = Vec::new();
        flatten("", &settings(group.first()), &mut leaves);
        for (key, _) in &leaves {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        let mut values: BTreeMap<_, _> = leaves.into_iter().collect();
        let seeds: Vec<_> = group
            .runs
            .iter()
            .map(|run| run.config.settings.run.seed.to_string())
            .collect();
        values.insert("run.seed".to_owned(), seeds.join(", "));
        all.push(values);
    }
    let difference = |key: String| {
        let values: Vec<Option<String>> = all.iter().map(|values| values.get(&key).cloned()).collect();
        let differs = values.iter().any(|value| *value != values[0]);
        differs.then_some(Difference { key, values })
    };
    keys.into_iter().filter_map(difference).collect()
}

/// What the result depends on; names and folders always differ.
fn settings(run: &History) -> Value {
    serde_json::to_value(&run.config.settings).unwrap_or(Value::Null)
}

/// Every leaf with its path. A list is a leaf, and so is a mapping with nothing in it.
fn flatten(path: &str, value: &Value, leaves: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, leaves);
            }
        }
        Value::String(text) => leaves.push((path.to_owned(), text.clone())),
        value => leaves.push((path.to_owned(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups;
    use super::super::tests::run;
    use super::*;

    #[test]
    fn only_what_differs() {
        let mut other = run("b", 1, &[]);
        other.config.settings.optimizer.lr = 0.25;
        let runs = [run("a", 1, &[]), run("a2", 2, &[]), other];
        let found = differences(&groups(&runs));
        let keys: Vec<_> = found.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(keys, ["run.seed", "optimizer.lr"]);
        assert_eq!(found[0].values, [Some("1, 2".to_owned()), Some("1".to_owned())]);
        assert_eq!(found[1].values[1].as_deref(), Some("0.25"));
        assert!(differences(&groups(&runs[..1])).is_empty());
    }
}
