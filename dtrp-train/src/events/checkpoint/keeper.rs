//! A folder of checkpoints: the newest and the best are kept, and a link leads to the last.

use super::folder::{self, HIDDEN};
use super::{Checkpoint, Why};
use crate::error::{BoxError, CheckpointError, TrainError};
use crate::events::{Event, Subscriber};
use std::fs;
use std::path::{Path, PathBuf};

/// The link to the checkpoint that was written last.
pub const LATEST: &str = "latest";

/// What the folders of checkpoints are called, before their number.
const PREFIX: &str = "step-";

/// Writes every checkpoint of a run into a folder, as `step-00000046`, and removes those that need not be kept.
///
/// ```no_run
/// # fn train(mut trainer: dtrp_train::Trainer) -> dtrp_train::Result<()> {
/// let settings = trainer.settings().checkpoint.clone();
/// trainer.subscribe(dtrp_train::Keeper::new("checkpoints", settings.keep_last, settings.keep_best));
/// trainer.fit()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    last: u64,
    best: u64,
}

impl Keeper {
    /// Into `folder`, which is made where it is missing: so many of the newest, and so many of the best.
    pub fn new(folder: impl Into<PathBuf>, last: u64, best: u64) -> Self {
        Self {
            folder: folder.into(),
            last,
            best,
        }
    }

    /// Writes a checkpoint, lets the link lead to it, and removes what need not be kept.
    ///
    /// # Errors
    ///
    /// When it cannot be written: what was there before is as it was.
    pub fn keep(&self, checkpoint: &Checkpoint) -> Result<PathBuf, CheckpointError> {
        fs::create_dir_all(&self.folder).map_err(|error| CheckpointError::writing(&self.folder, &error))?;
        let path = self.folder.join(name(checkpoint.step()));
        folder::write(checkpoint, &path)?;
        self.link(&path)?;
        self.prune(&path);
        Ok(path)
    }

    /// The link is a convenience for people; who goes on with a run looks at the folders themselves.
    fn link(&self, path: &Path) -> Result<(), CheckpointError> {
        let wrong = |error: std::io::Error| CheckpointError::writing(&self.folder.join(LATEST), &error);
        let beside = self.folder.join(format!(".{LATEST}{HIDDEN}"));
        let _ = fs::remove_file(&beside);
        let target = path.file_name().unwrap_or_default();
        std::os::unix::fs::symlink(target, &beside).map_err(wrong)?;
        let renamed = fs::rename(&beside, self.folder.join(LATEST));
        if renamed.is_err() {
            let _ = fs::remove_file(&beside);
        }
        renamed.map_err(wrong)?;
        folder::sync(path);
        Ok(())
    }

    /// Removes those of later batches than `step`: a run that goes on from there will come to them again.
    pub fn forget_after(&self, step: u64) {
        for (_, path) in steps(&self.folder).iter().filter(|(later, _)| *later > step) {
            folder::remove(path);
        }
    }

    /// Removes those that are neither among the newest nor among the best, and what killed programs left. `newest` stays.
    fn prune(&self, newest: &Path) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(HIDDEN) {
                folder::remove(&entry.path());
                let _ = fs::remove_file(entry.path());
            }
        }
        let all = steps(&self.folder);
        let accuracy = |path: &Path| {
            let state = folder::read_state(path).ok()?;
            let after_epoch = matches!(state.why, Why::Epoch | Why::End);
            state
                .results
                .last
                .filter(|_| after_epoch)
                .map(|last| last.test_accuracy)
        };
        let mut best: Vec<_> = all
            .iter()
            .filter_map(|(step, path)| Some((accuracy(path)?, step, path)))
            .collect();
        // Of equal ones the earlier, which took less time.
        best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let best: Vec<_> = best.iter().take(count(self.best)).map(|(_, _, path)| *path).collect();
        for (_, path) in all.iter().skip(count(self.last)) {
            if path != newest && !best.contains(&path) {
                folder::remove(path);
            }
        }
    }
}

impl Subscriber for Keeper {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        if let Event::Checkpoint(checkpoint) = event {
            let path = self.keep(checkpoint).map_err(TrainError::from)?;
            tracing::debug!("checkpoint: {}", path.display());
        }
        Ok(())
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What the folder of a step is called.
fn name(step: u64) -> String {
    format!("{PREFIX}{step:08}")
}

fn step_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

/// What a folder of checkpoints has, as [`Keeper`] writes it.
#[derive(Debug, Default)]
pub struct Newest {
    /// The newest that is whole, and its folder.
    pub found: Option<(Checkpoint, PathBuf)>,
    /// What is wrong with those that are newer.
    pub wrong: Vec<CheckpointError>,
}

impl Newest {
    /// Looks for it, newest first.
    pub fn of(folder: &Path) -> Self {
        let mut newest = Self::default();
        for (_, path) in steps(folder) {
            match folder::read(&path) {
                Ok(checkpoint) => {
                    newest.found = Some((checkpoint, path));
                    break;
                }
                Err(error) => newest.wrong.push(error),
            }
        }
        newest
    }
}

/// The checkpoints in a folder of them, whole or not, newest first.
fn steps(folder: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let step = |entry: fs::DirEntry| Some((step_of(&entry.file_name().to_string_lossy())?, entry.path()));
    let mut steps: Vec<_> = entries.filter_map(step).collect();
    steps.sort_unstable_by(|a, b| b.cmp(a));
    steps
}
