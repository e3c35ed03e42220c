//! What a run of a comparison was asked to be, kept in its folder, so that an interrupted comparison goes on with the same runs.
//!
//! A run's `config.yaml` does not do for that: in it stands what was measured in the place of what was asked for (`auto`).

use super::files::Marks;
use crate::config::{Config, ProgramKeys};
use crate::error::Error;
use crate::run::SUMMARY;
use dtrp_text::{read_text, write_whole};
use dtrp_train::settings::CheckpointSettings;
use dtrp_train::{End, Summary};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file, in the run's folder.
pub(crate) const ASKED: &str = "asked.yaml";

/// Before the marks of files.
const FILES: &str = "# The files that it names were then:\n";

/// A configuration before anything is measured, without what changes nothing of the training, and marks of the files that it
/// names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    text: String,
    /// A line for each key that names a file or a folder.
    files: Vec<String>,
}

/// What there is of a run already.
#[derive(Debug)]
pub(super) enum Earlier {
    /// Nothing that is of use.
    Nothing,
    /// A run that is another one: it was asked for with another configuration, or of another version.
    Other,
    /// A run of the same configuration, in which this key named a file that was another one then.
    Changed(String),
    /// The same run, which has not come to its end.
    Begun,
    /// The same run with its result.
    Ended(Box<Summary>),
}

impl Asked {
    /// Of a configuration as it was loaded.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] where it cannot be written.
    pub(crate) fn of(config: &Config, marks: &mut Marks) -> Result<Self, Error> {
        let mut config = config.clone();
        let mut files: Vec<String> = Vec::new();
        files.extend(config.files().map(|(key, path)| format!("{key} {}", marks.of(path))));
        files.extend(
            config
                .files_of_model()
                .map(|(key, path)| format!("{key} {}", marks.of(path))),
        );
        let costs = config.program.method.clone();
        config.program = ProgramKeys {
            method: costs,
            ..ProgramKeys::default()
        };
        config.settings.checkpoint = CheckpointSettings::default();
        let version = env!("CARGO_PKG_VERSION");
        let yaml = config.to_yaml()?;
        Ok(Self {
            text: format!("# What this run was asked to be, for `dtrp compare --resume`; by dtrp {version}\n{yaml}"),
            files,
        })
    }

    /// As it is kept.
    fn whole(&self) -> String {
        let files = self.files.iter().map(|line| format!("# {line}\n"));
        let files: String = files.collect();
        if files.is_empty() {
            return self.text.clone();
        }
        format!("{}{FILES}{files}", self.text)
    }

    /// Keeps it in the folder of the run that it was asked of.
    pub(super) fn keep(&self, folder: &Path) {
        if let Err(error) = write_whole(&folder.join(ASKED), self.whole().as_bytes()) {
            let folder = folder.display();
            tracing::warn!("{folder}: cannot keep {ASKED}: {error}; --resume will train this run again");
        }
    }

    /// The key of the file that is another one now, if nothing else is different.
    fn changed(&self, kept: &str) -> Option<String> {
        let (text, files) = kept.split_once(FILES)?;
        let mut before = files.lines();
        let different = self
            .files
            .iter()
            .find(|line| before.next().and_then(|before| before.strip_prefix("# ")) != Some(line.as_str()));
        let key = different?.split(' ').next()?;
        (text == self.text).then(|| key.to_owned())
    }

    /// What there is in the folder.
    pub(super) fn earlier(&self, folder: &Path) -> Earlier {
        if !folder.exists() {
            return Earlier::Nothing;
        }
        match read_text(&folder.join(ASKED)) {
            Ok(text) if text == self.whole() => {}
            Ok(text) => return self.changed(&text).map_or(Earlier::Other, Earlier::Changed),
            Err(_) => return Earlier::Other,
        }
        let summary = read_text(&folder.join(SUMMARY)).ok();
        let summary = summary.and_then(|text| serde_json::from_str::<Summary>(&text).ok());
        match summary {
            // The same run would diverge again.
            Some(summary) if matches!(summary.end, End::Finished | End::Diverged) => Earlier::Ended(Box::new(summary)),
            _ => Earlier::Begun,
        }
    }
}

/// Which folder has this name now; another one is another run's.
pub(super) fn identity(folder: &Path) -> Option<(u64, u64)> {
    let found = folder.metadata().ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DIGITS, Layers};

    fn asked(sets: &[&str]) -> Asked {
        let layers = Layers {
            config: None,
            sets: sets.iter().map(|set| set.parse().unwrap()).collect(),
        };
        Asked::of(&layers.load(DIGITS).unwrap(), &mut Marks::new(Path::new("runs"))).unwrap()
    }

    #[test]
    fn what_changes_the_training_is_another_run() {
        let plain = asked(&[]);
        for same in [
            "run.name=x",
            "run.dir=elsewhere",
            "run.log_every=3",
            "logging.csv=true",
            "checkpoint.every_steps=5",
        ] {
            assert_eq!(asked(&[same]), plain, "{same}");
        }
        for other in ["run.seed=9", "optimizer.lr=0.0123", "method.cuts=auto", "run.epochs=3"] {
            assert_ne!(asked(&[other]), plain, "{other}");
        }
    }

    #[test]
    fn only_the_same_run_is_gone_on_with() {
        let place = tempfile::tempdir().unwrap();
        let (asked, other) = (asked(&[]), asked(&["run.seed=9"]));
        let folder = place.path().join("a");
        assert!(matches!(asked.earlier(&folder), Earlier::Nothing));
        std::fs::create_dir(&folder).unwrap();
        assert!(matches!(asked.earlier(&folder), Earlier::Other));
        asked.keep(&folder);
        assert!(matches!(asked.earlier(&folder), Earlier::Begun));
        assert!(matches!(other.earlier(&folder), Earlier::Other));
        let start = place.path().join("start");
        for key in ["model.init_from", "model.file"] {
            std::fs::write(&start, "weights").unwrap();
            let named = || {
                let set = format!("{key}={}", start.display());
                match key {
                    "model.file" => self::asked(&["model.name=exported", &set]),
                    _ => self::asked(&[&set]),
                }
            };
            named().keep(&folder);
            assert!(matches!(named().earlier(&folder), Earlier::Begun));
            std::fs::write(&start, "WEIGHTS").unwrap();
            assert!(matches!(named().earlier(&folder), Earlier::Changed(changed) if changed == key));
        }
        assert!(matches!(asked.earlier(&folder), Earlier::Other));
        asked.keep(&folder);
        // Half a summary is none.
        std::fs::write(folder.join(SUMMARY), "{\"end\": \"finished\"").unwrap();
        assert!(matches!(asked.earlier(&folder), Earlier::Begun));
    }
}
