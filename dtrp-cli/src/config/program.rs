//! The keys of this program itself, beside the settings of the training: the run's folder, what is shown, files of costs.

use dtrp_text::words;
use dtrp_train::settings::{SettingError, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The keys, in the sections in which a configuration has them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProgramKeys {
    pub(crate) run: FolderKeys,
    pub(crate) method: CostKeys,
    pub(crate) logging: LoggingKeys,
}

/// Of the section `run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FolderKeys {
    pub(crate) name: Option<String>,
    #[serde(serialize_with = "lossy")]
    pub(crate) dir: PathBuf,
    pub(crate) log_every: u64,
    #[schemars(with = "String", extend("enum" = ProgressKind::ALL.map(ProgressKind::name)))]
    pub(crate) progress: ProgressKind,
}

/// Of the section `method`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CostKeys {
    #[serde(serialize_with = "lossy_option")]
    pub(crate) costs: Option<PathBuf>,
}

/// The section `logging`: what else the run's metrics are written as.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LoggingKeys {
    pub(crate) csv: bool,
    pub(crate) tensorboard: bool,
}

/// A path that is not UTF-8 has no exact form in YAML: it is written with replacement characters.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    path.to_string_lossy().serialize(serializer)
}

fn lossy_option<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(Path::to_string_lossy).serialize(serializer)
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressKind {
    Auto,
    Bar,
    Plain,
    None,
}

words!(ProgressKind, "progress mode", [Auto "auto", Bar "bar", Plain "plain", None "none"]);

impl Default for FolderKeys {
    fn default() -> Self {
        Self {
            name: None,
            dir: "runs".into(),
            log_every: 10,
            progress: ProgressKind::Auto,
        }
    }
}

/// Room is left for a number.
const LONGEST_NAME: usize = 200;

/// Which keys of which section are the program's.
const KEYS: [(&str, &[&str]); 2] = [
    ("run", &["name", "dir", "log_every", "progress"]),
    ("method", &["costs"]),
];

/// The section in which every key is the program's.
const OWN: &str = "logging";

impl ProgramKeys {
    /// A tree of the whole configuration as the settings' part and the program's.
    pub(super) fn split(mut tree: Value) -> (Value, Value) {
        let mut program = Map::new();
        for (section, keys) in KEYS {
            let mut own = Map::new();
            if let Some(Value::Object(all)) = tree.get_mut(section) {
                for key in keys {
                    own.extend(all.shift_remove_entry(*key));
                }
            }
            program.insert(section.to_owned(), Value::Object(own));
        }
        if let Value::Object(sections) = &mut tree {
            program.extend(sections.shift_remove_entry(OWN));
        }
        (tree, Value::Object(program))
    }

    /// The whole tree again: in each section the program's keys stand first, and its own section last.
    pub(super) fn beside(&self, mut settings: Value) -> Value {
        let own = serde_json::to_value(self).unwrap_or(Value::Null);
        for (section, _) in KEYS {
            let own = own.get(section).and_then(Value::as_object);
            if let (Some(own), Some(Value::Object(all))) = (own, settings.get_mut(section)) {
                let mut merged = own.clone();
                for (key, value) in std::mem::take(all) {
                    merged.entry(key).or_insert(value);
                }
                *all = merged;
            }
        }
        if let (Some(own), Value::Object(sections)) = (own.get(OWN), &mut settings) {
            sections.insert(OWN.to_owned(), own.clone());
        }
        settings
    }

    pub(super) fn check(&self, settings: &Settings) -> Result<(), SettingError> {
        let that = |holds: bool, key: &'static str, value: String, expected: &str| {
            if holds {
                return Ok(());
            }
            Err(SettingError {
                key,
                value,
                expected: expected.to_owned(),
            })
        };
        if let Some(name) = &self.run.name {
            let plain = |c: char| c != '/' && !c.is_control();
            let plain = !name.is_empty() && !name.starts_with('.') && name.chars().all(plain);
            let expected = "a name for a folder: without `/` and control characters, and not starting with a dot";
            that(plain, "run.name", name.clone(), expected)?;
            let short = name.len() <= LONGEST_NAME;
            let expected = format!("a name of at most {LONGEST_NAME} bytes");
            that(short, "run.name", name.clone(), &expected)?;
        }
        let every = self.run.log_every;
        that(every > 0, "run.log_every", every.to_string(), "at least 1")?;
        if let Some(path) = &self.method.costs {
            let section = &settings.method;
            let auto = section.goes_by_costs() || section.batch_compensation.balance;
            let expected = "null unless method.cuts or method.recompute is auto";
            that(auto, "method.costs", path.display().to_string(), expected)?;
        }
        Ok(())
    }
}
