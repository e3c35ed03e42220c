//! `metrics.jsonl`: one JSON object a line, flushed as it is written.

use super::folder::Folder;
use crate::error::Error;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// The file's name.
pub(super) const METRICS: &str = "metrics.jsonl";

/// The file, open and locked for as long as the run goes on.
#[derive(Debug)]
pub(crate) struct Metrics {
    file: File,
    path: PathBuf,
}

/// A line of the file.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Step(&'a StepLine),
    Epoch(&'a EpochLine),
}

/// The loss of one batch.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct StepLine {
    /// The batch, counted over the whole run, from 1.
    pub(crate) step: u64,
    /// The epoch, from 1.
    pub(crate) epoch: u64,
    /// The batch's mean loss.
    pub(crate) loss: f64,
    /// The learning rate of the last module's next update.
    pub(crate) lr: f64,
    /// Since the start of training.
    pub(crate) seconds: f64,
}

/// The results of one epoch.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EpochLine {
    /// The epoch, from 1.
    pub(crate) epoch: u64,
    /// Batches trained so far.
    pub(crate) step: u64,
    /// Mean over the samples of this epoch, as they were trained.
    pub(crate) train_loss: f64,
    /// Mean over the test samples.
    pub(crate) test_loss: f64,
    /// 0..1.
    pub(crate) test_accuracy: f64,
    /// Of training; evaluation does not count.
    pub(crate) images_per_second: f64,
    /// Since the start of training.
    pub(crate) seconds: f64,
    /// Module 1's worker first.
    pub(crate) workers: Vec<WorkerLine>,
}

/// The part of one worker in an epoch.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct WorkerLine {
    /// Share of the epoch's training time that it computed, 0..1.
    pub(crate) busy_share: f64,
    /// Mean prediction error so far; null if nothing was measured.
    pub(crate) prediction_gain: Option<f64>,
}

impl Metrics {
    /// Starts the file in the run's folder.
    pub(crate) fn create(folder: &Folder) -> Result<Self, Error> {
        let path = folder.path().join(METRICS);
        let file = File::create_new(&path).map_err(Error::file("write", &path))?;
        // Some file systems have no locks; then nothing warns of a second run in the same folder.
        let _ = file.try_lock();
        Ok(Self { file, path })
    }

    /// Writes a step.
    pub(crate) fn step(&mut self, line: &StepLine) -> Result<(), Error> {
        self.write(&Line::Step(line))
    }

    /// Writes an epoch.
    pub(crate) fn epoch(&mut self, line: &EpochLine) -> Result<(), Error> {
        self.write(&Line::Epoch(line))
    }

    fn write(&mut self, line: &Line<'_>) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line).map_err(|e| Error::Bug(e.to_string()))?;
        text.push(b'\n');
        // One call a line, so that a reader never sees half of one.
        self.file.write_all(&text).map_err(Error::file("write", &self.path))
    }
}
