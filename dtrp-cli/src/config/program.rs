//! The keys of this program itself, beside the settings of the training: the run's folder, what is shown, files of costs.

use dtrp_text::words;
use dtrp_train::settings::{Cuts, SettingError, Settings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The keys, in the sections in which a configuration has them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProgramKeys {
    pub(crate) run: FolderKeys,
    pub(crate) method: CostKeys,
}

/// Of the section `run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FolderKeys {
    pub(crate) name: Option<String>,
    pub(crate) dir: PathBuf,
    pub(crate) log_every: u64,
    pub(crate) progress: ProgressKind,
}

/// Of the section `method`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CostKeys {
    pub(crate) costs: Option<PathBuf>,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressKind {
    Auto,
    Bar,
    Plain,
    None,
}

words!(ProgressKind, "progress", [Auto "auto", Bar "bar", Plain "plain", None "none"]);

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
        (tree, Value::Object(program))
    }

    /// The whole tree again: in each section the program's keys stand first.
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
            let auto = section.cuts == Cuts::Auto || section.batch_compensation.balance;
            let expected = "null unless method.cuts is auto";
            that(auto, "method.costs", path.display().to_string(), expected)?;
        }
        Ok(())
    }
}
