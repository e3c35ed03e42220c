//! The only place that knows `serde_yaml`: text to value tree, value tree to text.

use super::error::ConfigError;
use serde_json::Value;

/// Reads YAML. Empty text is null; a key that stands twice, or is not a string, is an error.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    // By way of serde_yaml's own tree, which refuses keys that stand twice.
    let mut tree: serde_yaml::Value = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
    tree.apply_merge().map_err(|e| e.to_string())?;
    // They would become null, and a default take their place.
    if let Some((path, value)) = not_finite(&tree, "") {
        return Err(format!("{path}{value} is not a finite number"));
    }
    serde_json::to_value(tree).map_err(|e| e.to_string())
}

/// The first number that is infinite or none, with the path to it as the beginning of a sentence.
fn not_finite(tree: &serde_yaml::Value, path: &str) -> Option<(String, String)> {
    use serde_yaml::Value;
    let join = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    match tree {
        Value::Number(number) if number.as_f64().is_some_and(|number| !number.is_finite()) => {
            let lead = match path {
                "" => String::new(),
                path => format!("{path}: "),
            };
            Some((lead, number.to_string()))
        }
        Value::Mapping(map) => map
            .iter()
            .find_map(|(key, value)| not_finite(value, &join(key.as_str()?))),
        Value::Sequence(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, value)| not_finite(value, &format!("{path}[{index}]")))
        }
        Value::Tagged(tagged) => not_finite(&tagged.value, path),
        _ => None,
    }
}

/// Writes YAML.
pub(super) fn to_text(tree: &Value) -> Result<String, ConfigError> {
    serde_yaml::to_string(tree).map_err(|error| ConfigError::Syntax {
        origin: "the resolved configuration".to_owned(),
        message: error.to_string(),
    })
}

/// A value as one would write it in a line of YAML.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}
