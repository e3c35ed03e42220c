//! `summary.json`: how the run ended, written even where that is a full disk, and there even where a plug-in ends the process.

mod kept;

use super::folder::Folder;
use dtrp_predictors::loader;
use dtrp_text::{to_json, write_whole};
use dtrp_train::{BoxError, End, EpochReport, Event, Subscriber, Summary};
use kept::Kept;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The name of the summary in a run's folder.
pub(crate) const SUMMARY: &str = "summary.json";

/// Room on the disk that is kept for the summary. It holds what is to be the summary where a plug-in ends the process.
const RESERVE: &str = ".reserve";

/// Writes the summary when the run has ended, whatever else of the folder could be written.
pub(crate) struct SummaryFile {
    folder: Folder,
    reserve: PathBuf,
    /// As it would be if the process were ended now, after the last whole epoch.
    so_far: Summary,
    /// Of training alone.
    train: Duration,
    kept: Kept,
}

impl SummaryFile {
    /// In this folder, of a run that is about to begin.
    pub(crate) fn new(folder: Folder, summary: Summary) -> Self {
        let reserve = folder.path().join(RESERVE);
        let so_far = Summary {
            end: End::Failed,
            ..named(&folder, &summary)
        };
        // Where there is no room, the first file that matters will say so.
        let _ = fs::write(&reserve, padded(&so_far));
        let kept = Kept::new(&reserve, &folder.path().join(SUMMARY));
        Self {
            folder,
            reserve,
            so_far,
            train: Duration::ZERO,
            kept,
        }
    }

    fn give_back(&mut self) {
        self.kept.forget();
        let _ = fs::remove_file(&self.reserve);
    }

    fn after(&mut self, epoch: &EpochReport) {
        let best = self.so_far.best_test_accuracy.unwrap_or(0.0);
        self.so_far = Summary {
            epochs: epoch.epoch,
            steps: epoch.step,
            final_test_accuracy: Some(epoch.test_accuracy),
            best_test_accuracy: Some(best.max(epoch.test_accuracy)),
            final_train_loss: Some(epoch.train_loss),
            wall_seconds: epoch.seconds,
            train_seconds: self.train.as_secs_f64(),
            // What the workers did is told by themselves, at the end.
            workers: Vec::new(),
            ..self.so_far.clone()
        };
        // Nothing else needs it.
        if loader::touched() {
            let _ = write_whole(&self.reserve, &padded(&self.so_far));
        }
    }
}

/// With the name of the folder.
fn named(folder: &Folder, summary: &Summary) -> Summary {
    let name = folder.path().file_name();
    Summary {
        name: name.map(|name| name.to_string_lossy().into_owned()),
        ..summary.clone()
    }
}

/// The text with far more room behind it than any summary of the run will need.
fn padded(summary: &Summary) -> Vec<u8> {
    let mut text = to_json(summary).into_bytes();
    text.resize(text.len() + 16_384 + 2_048 * summary.modules, b' ');
    text
}

impl Subscriber for SummaryFile {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Program(run) => self.train += run.trace.wall(),
            Event::Epoch(epoch) => self.after(epoch),
            Event::Ended(summary) => {
                self.give_back();
                self.folder.write(SUMMARY, &to_json(&named(&self.folder, summary)))?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Drop for SummaryFile {
    fn drop(&mut self) {
        self.give_back();
    }
}
