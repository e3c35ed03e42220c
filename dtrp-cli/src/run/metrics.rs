//! `metrics.jsonl`: one JSON object a line, written as it happens.

use super::growing::Growing;
use super::is_due;
use crate::error::Error;
use dtrp_train::{BoxError, EpochReport, Event, StepReport, Subscriber};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The file's name.
pub(crate) const METRICS: &str = "metrics.jsonl";

/// The file, open and locked for as long as the run goes on.
#[derive(Debug)]
pub(crate) struct Metrics {
    file: Growing,
    /// Steps from one line to the next.
    every: u64,
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Line {
    /// The loss of a batch.
    Step(StepReport),
    /// The results of an epoch.
    Epoch(EpochReport),
}

impl Metrics {
    /// Starts the file in `folder`, which will be called `known_as`.
    pub(super) fn create(folder: &Path, known_as: &Path, every: u64) -> Result<Self, Error> {
        let file = Growing::create(&folder.join(METRICS), known_as.join(METRICS))?;
        // Some file systems have no locks; then nothing warns of a second run in the same folder.
        let _ = file.file().try_lock();
        Ok(Self { file, every })
    }

    /// Goes on with the file in `folder`: lines of what comes after the batch `told` or the epoch `epochs` will be written again,
    /// and go, as does the half line of a program that was killed.
    pub(super) fn reopen(folder: &Path, every: u64, told: u64, epochs: u64) -> Result<Self, Error> {
        let file = Growing::go_on_locked(&folder.join(METRICS), |line| match serde_json::from_str(line) {
            Ok(Line::Step(step)) => step.step <= told,
            Ok(Line::Epoch(epoch)) => epoch.epoch <= epochs,
            Err(_) => false,
        })?;
        Ok(Self { file, every })
    }

    fn write(&mut self, line: &Line) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line).map_err(|e| Error::Bug(e.to_string()))?;
        text.push(b'\n');
        self.file.append(&text)
    }
}

impl Subscriber for Metrics {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Step(step) if is_due(step, self.every) => self.write(&Line::Step(*step))?,
            Event::Epoch(epoch) => self.write(&Line::Epoch(EpochReport::clone(epoch)))?,
            _ => {}
        }
        Ok(())
    }
}
