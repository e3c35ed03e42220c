//! `metrics.jsonl`: one JSON object a line, flushed as it is written.

use super::folder::Folder;
use crate::error::Error;
use dtrp_train::{BoxError, EpochReport, Event, StepReport, Subscriber};
use serde::{Deserialize, Serialize};
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
    /// Steps from one line to the next.
    every: u64,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Line {
    Step(StepReport),
    Epoch(EpochReport),
}

impl Metrics {
    /// Starts the file in the run's folder.
    pub(crate) fn create(folder: &Folder, every: u64) -> Result<Self, Error> {
        let path = folder.path().join(METRICS);
        let file = File::create_new(&path).map_err(Error::file("write", &path))?;
        // Some file systems have no locks; then nothing warns of a second run in the same folder.
        let _ = file.try_lock();
        Ok(Self { file, path, every })
    }

    fn write(&mut self, line: &Line) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line).map_err(|e| Error::Bug(e.to_string()))?;
        text.push(b'\n');
        // One call a line, so that a reader never sees half of one.
        self.file.write_all(&text).map_err(Error::file("write", &self.path))
    }
}

impl Subscriber for Metrics {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        match event {
            Event::Step(step) if step.step == 1 || step.step.is_multiple_of(self.every) => {
                self.write(&Line::Step(*step))?;
            }
            Event::Epoch(epoch) => self.write(&Line::Epoch(EpochReport::clone(epoch)))?,
            _ => {}
        }
        Ok(())
    }
}
