//! Which predictor a run uses, as configurations say it.

use crate::PredictorError;
use dtrp_text::{DidYouMean, nearest};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Which predictor, with which options.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Name of a built-in or linked predictor; with a [`plugin`](Self::plugin), the id inside the library, which may
    /// be empty if the library holds only one.
    pub name: String,
    /// An object of options such as `{"rho": 0.5}`, or null.
    pub options: Value,
    /// The shared library that holds it, if it is a plug-in. A relative path is taken from the working directory.
    pub plugin: Option<PathBuf>,
}

impl Default for Spec {
    /// `none`: no prediction.
    fn default() -> Self {
        Self::named("none")
    }
}

impl Spec {
    /// A built-in or linked predictor with its default options.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            options: Value::Null,
            plugin: None,
        }
    }

    /// The predictor `id` of a shared library, with its default options.
    pub fn plugin(path: impl Into<PathBuf>, id: impl Into<String>) -> Self {
        Self {
            name: id.into(),
            options: Value::Null,
            plugin: Some(path.into()),
        }
    }

    /// The same predictor with these options.
    #[must_use]
    pub fn with(self, options: Value) -> Self {
        Self { options, ..self }
    }

    /// Reads what a configuration says: `"decayed"`, `{"name": "decayed", "options": {"rho": 0.5}}`, or
    /// `{"plugin": "./libmine.so", "id": "org.example.mine", "options": {…}}`.
    ///
    /// # Errors
    ///
    /// [`PredictorError::Spec`] for anything else. Whether the predictor and its options exist is checked by
    /// [`create`](crate::create).
    pub fn from_value(value: &Value) -> Result<Self, PredictorError> {
        let fail = |reason: String| Err(PredictorError::Spec { reason });
        let given = match value {
            Value::String(name) => return Ok(Self::named(name.as_str())),
            Value::Object(given) => given,
            other => return fail(format!("this is {other}")),
        };
        let keys: &[&str] = if given.contains_key("plugin") {
            &["plugin", "id", "options"]
        } else {
            &["name", "options"]
        };
        if let Some(key) = given.keys().find(|key| !keys.contains(&key.as_str())) {
            let near = DidYouMean(nearest(key, keys.iter().copied()));
            return fail(format!("unknown key `{key}`{near}"));
        }
        let text = |key: &str| match given.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(PredictorError::Spec {
                reason: format!("`{key}` is {other}, but must be a string"),
            }),
        };
        let options = given.get("options").cloned().unwrap_or(Value::Null);
        if let Some(path) = text("plugin")? {
            return Ok(Self {
                name: text("id")?.unwrap_or_default(),
                options,
                plugin: Some(path.into()),
            });
        }
        match text("name")? {
            Some(name) => Ok(Self {
                name,
                options,
                plugin: None,
            }),
            None => fail("neither `name` nor `plugin` is given".into()),
        }
    }

    /// The shortest form that [`from_value`](Self::from_value) reads back as the same.
    pub fn to_value(&self) -> Value {
        if self.plugin.is_none() && self.options.is_null() {
            return Value::String(self.name.clone());
        }
        let mut map = Map::new();
        match &self.plugin {
            Some(path) => {
                map.insert("plugin".into(), path.to_string_lossy().into_owned().into());
                if !self.name.is_empty() {
                    map.insert("id".into(), self.name.as_str().into());
                }
            }
            None => {
                map.insert("name".into(), self.name.as_str().into());
            }
        }
        if !self.options.is_null() {
            map.insert("options".into(), self.options.clone());
        }
        Value::Object(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_round_trips() {
        for value in [
            json!("decayed"),
            json!({ "name": "decayed", "options": { "rho": 0.5 } }),
            json!({ "plugin": "./libx.so" }),
            json!({ "plugin": "./libx.so", "id": "a.b", "options": { "k": 1 } }),
        ] {
            assert_eq!(Spec::from_value(&value).expect("valid").to_value(), value);
        }
    }

    #[test]
    fn wrong_forms_say_what_is_wrong() {
        for (value, says) in [
            (json!(3), "this is 3"),
            (json!({ "nme": "decayed" }), "unknown key `nme` (did you mean `name`?)"),
            (json!({ "plugin": "x.so", "name": "y" }), "unknown key `name`"),
            (json!({ "options": {} }), "neither `name` nor `plugin`"),
            (json!({ "name": 1 }), "`name` is 1, but must be a string"),
        ] {
            let error = Spec::from_value(&value).expect_err("invalid").to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
