//! The section `model`: a name, where to start from, and whatever options the family of models has.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The section's name.
pub(super) const SECTION: &str = "model";

/// Which network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    /// The family.
    pub(crate) name: String,
    /// A safetensors file with the weights to start from.
    pub(crate) init_from: Option<PathBuf>,
    /// The family's options, which it checks itself.
    pub(crate) options: Map<String, Value>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            name: "resnet-cifar".to_owned(),
            init_from: None,
            options: Map::new(),
        }
    }
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut section = Map::new();
        section.insert("name".to_owned(), self.name.as_str().into());
        section.extend(self.options.clone());
        let init_from = self.init_from.as_ref();
        let init_from = init_from.map(|path| path.to_string_lossy().into_owned());
        section.insert("init_from".to_owned(), init_from.into());
        section.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut options = Map::<String, Value>::deserialize(deserializer)?;
        let mut text = |key: &str| match options.shift_remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(D::Error::custom(format!("expected a section whose `{key}` is a text"))),
        };
        let init_from = text("init_from")?.map(PathBuf::from);
        let name = text("name")?;
        Ok(Self {
            name: name.ok_or_else(|| D::Error::custom("expected a section with a `name`"))?,
            init_from,
            options,
        })
    }
}
