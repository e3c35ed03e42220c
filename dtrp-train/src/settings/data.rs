//! What is trained on, and how it is loaded.

use dtrp_data::DataSpec;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// What is trained on, and how it is loaded. In a file the data set's own options stand beside the other keys.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "schemas",
    derive(schemars::JsonSchema),
    schemars(default, deny_unknown_fields)
)]
pub struct DataSettings {
    /// The data set; of samples that were given by the caller, their name.
    pub name: String,
    /// Where the files are, for sets that are made of files.
    pub dir: Option<PathBuf>,
    /// Samples in a batch.
    pub batch_size: usize,
    /// Whether every epoch has an order of its own.
    pub shuffle: bool,
    /// `auto` (what is usual for the set), `none`, or a list such as `crop:4,flip,cutout:8`.
    pub augment: String,
    /// Use so many training samples only.
    pub limit: Option<usize>,
    /// Use so many test samples only.
    pub test_limit: Option<usize>,
    /// Leave out an epoch's last batch if it is smaller than the others.
    pub drop_last: bool,
    /// Threads that load batches ahead of their use.
    pub threads: usize,
    /// Batches loaded ahead.
    pub prefetch: usize,
    /// The set's own options, which it checks itself; null stands for one that is not given.
    #[cfg_attr(feature = "schemas", schemars(skip))]
    pub options: Map<String, Value>,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            name: "digits".to_owned(),
            dir: None,
            batch_size: 64,
            shuffle: true,
            augment: "auto".to_owned(),
            limit: None,
            test_limit: None,
            drop_last: false,
            threads: 1,
            prefetch: 4,
            options: Map::new(),
        }
    }
}

impl DataSettings {
    /// What to open.
    pub fn spec(&self) -> DataSpec {
        DataSpec {
            name: self.name.clone(),
            dir: self.dir.clone(),
            options: self.options.clone(),
        }
    }
}

impl Serialize for DataSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut section = serializer.serialize_map(None)?;
        section.serialize_entry("name", &self.name)?;
        section.serialize_entry("dir", &self.dir.as_deref().map(Path::to_string_lossy))?;
        section.serialize_entry("batch_size", &self.batch_size)?;
        section.serialize_entry("shuffle", &self.shuffle)?;
        section.serialize_entry("augment", &self.augment)?;
        section.serialize_entry("limit", &self.limit)?;
        section.serialize_entry("test_limit", &self.test_limit)?;
        section.serialize_entry("drop_last", &self.drop_last)?;
        section.serialize_entry("threads", &self.threads)?;
        section.serialize_entry("prefetch", &self.prefetch)?;
        for (name, value) in &self.options {
            section.serialize_entry(name, value)?;
        }
        section.end()
    }
}

impl<'de> Deserialize<'de> for DataSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

/// Reads key by key, so that an error names its key; what the loader does not know is the data set's.
struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = DataSettings;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("struct DataSettings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DataSettings, A::Error> {
        let mut data = DataSettings::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "name" => data.name = map.next_value()?,
                "dir" => data.dir = map.next_value()?,
                "batch_size" => data.batch_size = map.next_value()?,
                "shuffle" => data.shuffle = map.next_value()?,
                "augment" => data.augment = map.next_value()?,
                "limit" => data.limit = map.next_value()?,
                "test_limit" => data.test_limit = map.next_value()?,
                "drop_last" => data.drop_last = map.next_value()?,
                "threads" => data.threads = map.next_value()?,
                "prefetch" => data.prefetch = map.next_value()?,
                _ => match map.next_value()? {
                    Value::Null => {}
                    value => drop(data.options.insert(key, value)),
                },
            }
        }
        Ok(data)
    }
}

/// What is customary for a data set: no flips where left and right matter.
pub(super) fn usual_augmentation(data: &str) -> &'static str {
    match data {
        "digits" => "crop:1",
        "mnist" => "crop:2",
        "cifar10" | "cifar100" | "fashion-mnist" => "crop-flip",
        "image-folder" => "random-resized-crop,flip",
        _ => "none",
    }
}
