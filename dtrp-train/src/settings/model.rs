//! Which network: a name, where to start from, and whatever options the family of models has.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Which network. In a file the family's options stand beside the name.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "schemas",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields)
)]
pub struct ModelSettings {
    /// The family; of a network that was given as blocks, its name.
    pub name: String,
    /// A safetensors file with the weights to start from.
    pub init_from: Option<PathBuf>,
    /// The SHA-256 of that file, in hexadecimal digits: another file is refused. A trainer puts it in, so that its settings
    /// repeat the run or say that they cannot.
    pub init_sha256: Option<String>,
    /// Parameters and running statistics that start anew, whatever weights there are to start from: their names, in which `*`
    /// stands for any characters, such as `layer4.*`.
    pub fresh: Vec<String>,
    /// The family's options, which it checks itself.
    #[cfg_attr(feature = "schemas", schemars(skip))]
    pub options: Map<String, Value>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            name: "resnet-cifar".to_owned(),
            init_from: None,
            init_sha256: None,
            fresh: Vec::new(),
            options: Map::new(),
        }
    }
}

impl Serialize for ModelSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut section = Map::new();
        section.insert("name".to_owned(), self.name.as_str().into());
        section.extend(self.options.clone());
        let init_from = self.init_from.as_ref();
        let init_from = init_from.map(|path| path.to_string_lossy().into_owned());
        section.insert("init_from".to_owned(), init_from.into());
        section.insert("init_sha256".to_owned(), self.init_sha256.clone().into());
        section.insert("fresh".to_owned(), self.fresh.clone().into());
        section.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ModelSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

/// Reads key by key, so that an error names its key.
struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = ModelSettings;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("struct ModelSettings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ModelSettings, A::Error> {
        let mut model = ModelSettings::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "name" => model.name = map.next_value()?,
                "init_from" => model.init_from = map.next_value()?,
                "init_sha256" => model.init_sha256 = map.next_value()?,
                "fresh" => model.fresh = map.next_value()?,
                _ => match map.next_value()? {
                    Value::Null => {}
                    value => drop(model.options.insert(key, value)),
                },
            }
        }
        Ok(model)
    }
}
