//! What can be wrong with a configuration: always where, and what would be right.

use super::yaml;
use dtrp_text::{OptionError, OptionProblem, shortened};
use serde_json::Value;

/// An error in a configuration. `origin` is the file, or the `--set` that is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{origin}: cannot be read: {source}")]
    Read { origin: String, source: std::io::Error },
    /// The text is not YAML.
    #[error("{origin}: {message}")]
    Syntax { origin: String, message: String },
    /// There is no such key.
    #[error("{origin}: unknown key {path}{}", nearest.as_ref().map_or_else(|| format!("; {known}"), |key| format!("; did you mean {key}?")))]
    UnknownKey {
        origin: String,
        path: String,
        nearest: Option<String>,
        known: String,
    },
    /// A value is none of the words that there are.
    #[error("{origin}: {path}: {message}")]
    UnknownWord {
        origin: String,
        path: String,
        message: String,
    },
    /// A value is of the wrong type, or out of range.
    #[error("{origin}: {path} is {}, but must be {expected}", shortened(value))]
    Value {
        origin: String,
        path: String,
        value: String,
        expected: String,
    },
}

impl ConfigError {
    /// From an option in `section` that cannot have its value.
    pub(super) fn of_option(section: &str, error: OptionError, origin: &dyn Fn(&str) -> String) -> Self {
        let path = format!("{section}.{}", error.option);
        match *error.problem {
            OptionProblem::Value { value, expected, .. } => ConfigError::Value {
                origin: origin(&path),
                path,
                value,
                expected,
            },
            OptionProblem::Unknown { nearest, known } => ConfigError::UnknownKey {
                origin: origin(&path),
                nearest,
                known: format!("the options are {}", known.join(", ")),
                path,
            },
        }
    }

    /// From serde's message about the value at `path`.
    pub(super) fn wrong(path: &str, value: &Value, message: &str, origin: &dyn Fn(&str) -> String) -> Self {
        if message.starts_with("unknown ") && !message.contains("expected ") {
            return ConfigError::UnknownWord {
                origin: origin(path),
                path: path.to_owned(),
                message: message.to_owned(),
            };
        }
        ConfigError::Value {
            origin: origin(path),
            path: path.to_owned(),
            value: yaml::inline(value),
            expected: expected(message),
        }
    }
}

/// What serde expected, in words for people: its messages end in `expected TYPE`.
fn expected(message: &str) -> String {
    let Some((_, wanted)) = message.rsplit_once("expected ") else {
        return message.to_owned();
    };
    let words = [
        ("struct ", "a section of keys and values"),
        ("f64", "a number"),
        ("u64", "a whole number from 0"),
        ("usize", "a whole number from 0"),
        ("u32", "a whole number from 0 to 4294967295"),
        ("u16", "a whole number from 0 to 65535"),
        ("a boolean", "true or false"),
        ("a string", "a text"),
        ("string", "a text"),
        ("path string", "a path"),
        ("an array of length 2", "a list of two"),
        ("fewer elements in array", "a shorter list"),
    ];
    words
        .iter()
        .find(|(start, _)| wanted.starts_with(start))
        .map_or_else(|| wanted.to_owned(), |(_, words)| (*words).to_owned())
}
