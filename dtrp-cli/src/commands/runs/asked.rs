//! What a run of a comparison was asked to be, kept in its folder, so that an interrupted comparison goes on with the same runs.
//!
//! A run's `config.yaml` does not do for that: in it stands what was measured in the place of what was asked for (`auto`).

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

/// A configuration before anything is measured, without what changes nothing of the training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    text: String,
}

/// What there is of a run already.
#[derive(Debug)]
pub(super) enum Earlier {
    /// Nothing that is of use.
    Nothing,
    /// A run that is another one: it was asked for with another configuration, or of another version.
    Other,
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
    pub(crate) fn of(config: &Config) -> Result<Self, Error> {
        let mut config = config.clone();
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
        })
    }

    /// Keeps it in the folder of the run that it was asked of.
    pub(super) fn keep(&self, folder: &Path) {
        if let Err(error) = write_whole(&folder.join(ASKED), self.text.as_bytes()) {
            let folder = folder.display();
            tracing::warn!("{folder}: cannot keep {ASKED}: {error}; --resume will train this run again");
        }
    }

    /// What there is in the folder.
    pub(super) fn earlier(&self, folder: &Path) -> Earlier {
        if !folder.exists() {
            return Earlier::Nothing;
        }
        if read_text(&folder.join(ASKED)).ok().as_ref() != Some(&self.text) {
            return Earlier::Other;
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
        Asked::of(&layers.load(DIGITS).unwrap()).unwrap()
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
        // Half a summary is none.
        std::fs::write(folder.join(SUMMARY), "{\"end\": \"finished\"").unwrap();
        assert!(matches!(asked.earlier(&folder), Earlier::Begun));
    }
}
