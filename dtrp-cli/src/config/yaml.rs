//! The only place that knows `serde_yaml`: text to value tree, value tree to text.

use super::error::ConfigError;
use serde_json::Value;

/// Reads YAML. Empty text is null; a key that stands twice, or is not a string, is an error.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    // By way of serde_yaml's own tree, which refuses keys that stand twice.
    let mut tree: serde_yaml::Value = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
    tree.apply_merge().map_err(|e| e.to_string())?;
    serde_json::to_value(tree).map_err(|e| e.to_string())
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
