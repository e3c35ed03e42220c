//! Going on with a run: which checkpoint, and in which folder.

use super::{CONFIG, Line, METRICS};
use crate::config::expanded;
use crate::error::Error;
use dtrp_train::{Checkpoint, Newest, TrainError};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The folder of the checkpoints in a run's folder.
pub(crate) const CHECKPOINTS: &str = "checkpoints";

/// What `--resume` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resume {
    /// The run that this configuration would train, from its newest checkpoint, or from the beginning.
    Auto,
    /// A run's folder, or a checkpoint's.
    From(PathBuf),
}

impl FromStr for Resume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Resume::Auto);
        }
        let path = expanded(Path::new(text)).map_err(|expected| format!("must be `auto` or {expected}"))?;
        Ok(Resume::From(path))
    }
}

/// A checkpoint that is gone on with.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) checkpoint: Checkpoint,
    /// Its folder.
    pub(crate) path: PathBuf,
    /// The folder of the run that it belongs to, as long as it lies there.
    pub(crate) run: Option<PathBuf>,
    /// Whether that run has a newer one.
    pub(crate) outdated: bool,
}

impl Origin {
    /// The checkpoint that `path` names: itself, or the newest of a run.
    ///
    /// # Errors
    ///
    /// [`TrainError::Checkpoint`] where there is none that is whole.
    pub(crate) fn at(path: &Path) -> Result<Self, Error> {
        if is_run(path) {
            return match Self::newest_of(path)? {
                Some(origin) => Ok(origin),
                None => Err(Error::Fit(format!(
                    "{}: the run has no checkpoint to go on with; `--resume auto` with its configuration begins anew",
                    path.display()
                ))),
            };
        }
        // The link `latest` leads to one with a number.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let checkpoint = Checkpoint::read(&path)?;
        let run = path.parent().filter(|parent| parent.ends_with(CHECKPOINTS));
        let run = run.and_then(Path::parent).filter(|run| is_run(run)).map(Path::to_owned);
        let newest = run.as_ref().and_then(|run| Newest::of(&run.join(CHECKPOINTS)).found);
        let outdated = newest.is_some_and(|(newest, _)| newest.step() > checkpoint.step());
        Ok(Self {
            checkpoint,
            path,
            run,
            outdated,
        })
    }

    /// The newest whole checkpoint of a run, if it has any. What is wrong with newer ones is told.
    ///
    /// # Errors
    ///
    /// [`TrainError::Checkpoint`] where all that there are cannot be read: nothing is begun anew over them.
    pub(crate) fn newest_of(run: &Path) -> Result<Option<Self>, Error> {
        let Newest { found, mut wrong } = Newest::of(&run.join(CHECKPOINTS));
        let Some((checkpoint, path)) = found else {
            return if wrong.is_empty() {
                Ok(None)
            } else {
                Err(TrainError::from(wrong.swap_remove(0)).into())
            };
        };
        for error in wrong {
            tracing::warn!("{error}");
        }
        Ok(Some(Self {
            checkpoint,
            path,
            run: Some(run.to_owned()),
            outdated: false,
        }))
    }
}

/// Whether a run has left nothing in this folder that is worth keeping: it was ended before its first checkpoint, and before the
/// end of its first epoch.
pub(crate) fn came_to_nothing(folder: &Path) -> bool {
    let epoch = |line: &str| matches!(serde_json::from_str(line), Ok(Line::Epoch(_)));
    let metrics = std::fs::read_to_string(folder.join(METRICS));
    is_run(folder) && metrics.is_ok_and(|text| !text.lines().any(epoch))
}

/// Whether a run has made this folder.
pub(crate) fn is_run(folder: &Path) -> bool {
    let is_file = |name: &str| folder.join(name).symlink_metadata().is_ok_and(|found| found.is_file());
    is_file(CONFIG) && is_file(METRICS)
}
