//! A predictor's options: what it declares, and how it reads what it was given.

use crate::{PredictorError, error::nearest};
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// One option that a predictor declares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionDescription {
    /// The key.
    pub name: &'static str,
    /// Which values it takes, and its default.
    pub kind: OptionKind,
    /// What it does, in one sentence.
    pub summary: &'static str,
}

/// Which values an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptionKind {
    /// A number from `min` to `max`, both included.
    Number {
        /// Where it is not given.
        default: f64,
        /// The least value.
        min: f64,
        /// The greatest value.
        max: f64,
    },
    /// `true` or `false`.
    Flag {
        /// Where it is not given.
        default: bool,
    },
}

impl OptionDescription {
    /// A number from `range`, which is `default` where it is not given.
    pub const fn number(name: &'static str, default: f64, range: RangeInclusive<f64>, summary: &'static str) -> Self {
        let kind = OptionKind::Number {
            default,
            min: *range.start(),
            max: *range.end(),
        };
        Self { name, kind, summary }
    }

    /// A flag, which is `default` where it is not given.
    pub const fn flag(name: &'static str, default: bool, summary: &'static str) -> Self {
        Self {
            name,
            kind: OptionKind::Flag { default },
            summary,
        }
    }

    /// The JSON schema of an object with these options and no others.
    pub fn schema(options: &[Self]) -> Value {
        let properties: Map<String, Value> = options
            .iter()
            .map(|option| {
                let mut schema = match option.kind {
                    OptionKind::Number { default, min, max } => {
                        json!({ "type": "number", "default": default, "minimum": min, "maximum": max })
                    }
                    OptionKind::Flag { default } => json!({ "type": "boolean", "default": default }),
                };
                schema["description"] = option.summary.into();
                (option.name.to_owned(), schema)
            })
            .collect();
        json!({ "type": "object", "additionalProperties": false, "properties": properties })
    }
}

/// The options a predictor was given, checked against those it declares.
#[derive(Debug)]
pub struct Options<'a> {
    predictor: &'a str,
    declared: &'a [OptionDescription],
    given: Map<String, Value>,
}

impl<'a> Options<'a> {
    /// Takes a JSON object (or null, which is an empty one) for `predictor`, which declares `declared`.
    ///
    /// # Errors
    ///
    /// [`PredictorError::UnknownOption`] for a key that is not declared; [`PredictorError::OptionValue`] for a value
    /// that its declaration rules out, or if `given` is no object.
    pub fn new(predictor: &'a str, declared: &'a [OptionDescription], given: &Value) -> Result<Self, PredictorError> {
        let given = match given {
            Value::Null => Map::new(),
            Value::Object(given) => given.clone(),
            other => {
                return Err(PredictorError::OptionValue {
                    predictor: predictor.into(),
                    option: "options".into(),
                    value: other.to_string(),
                    expected: "an object, such as { rho: 0.5 }".into(),
                });
            }
        };
        for (name, value) in &given {
            let Some(option) = declared.iter().find(|option| option.name == name) else {
                let names: Vec<_> = declared.iter().map(|option| option.name).collect();
                return Err(PredictorError::UnknownOption {
                    predictor: predictor.into(),
                    option: name.clone(),
                    nearest: nearest(name, names.iter().copied()),
                    available: if names.is_empty() {
                        "none".into()
                    } else {
                        names.join(", ")
                    },
                });
            };
            let expected =
                match option.kind {
                    OptionKind::Number { min, max, .. } => (!value.as_f64().is_some_and(|v| min <= v && v <= max))
                        .then(|| match (min.is_finite(), max.is_finite()) {
                            (true, true) => format!("a number from {min} to {max}"),
                            (true, false) => format!("a number of at least {min}"),
                            (false, true) => format!("a number of at most {max}"),
                            (false, false) => "a number".into(),
                        }),
                    OptionKind::Flag { .. } => (!value.is_boolean()).then(|| "true or false".into()),
                };
            if let Some(expected) = expected {
                return Err(PredictorError::OptionValue {
                    predictor: predictor.into(),
                    option: name.clone(),
                    value: value.to_string(),
                    expected,
                });
            }
        }
        Ok(Self {
            predictor,
            declared,
            given,
        })
    }

    /// The value of a declared number.
    ///
    /// # Panics
    ///
    /// If the predictor declares no number of this name, which is a bug in the predictor.
    pub fn number(&self, name: &str) -> f64 {
        match self.declared(name) {
            OptionKind::Number { default, .. } => self.given.get(name).and_then(Value::as_f64).unwrap_or(default),
            OptionKind::Flag { .. } => panic!("option `{name}` of predictor `{}` is declared a flag", self.predictor),
        }
    }

    /// The value of a declared flag.
    ///
    /// # Panics
    ///
    /// If the predictor declares no flag of this name, which is a bug in the predictor.
    pub fn flag(&self, name: &str) -> bool {
        match self.declared(name) {
            OptionKind::Flag { default } => self.given.get(name).and_then(Value::as_bool).unwrap_or(default),
            OptionKind::Number { .. } => {
                panic!("option `{name}` of predictor `{}` is declared a number", self.predictor)
            }
        }
    }

    fn declared(&self, name: &str) -> OptionKind {
        match self.declared.iter().find(|option| option.name == name) {
            Some(option) => option.kind,
            None => panic!(
                "predictor `{}` reads option `{name}`, which it does not declare",
                self.predictor
            ),
        }
    }
}
