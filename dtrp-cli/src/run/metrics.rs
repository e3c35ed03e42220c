//! `metrics.jsonl`: one JSON object a line, written as it happens.

use crate::error::Error;
use dtrp_train::{BoxError, EpochReport, Event, StepReport, Subscriber};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The file's name.
pub(crate) const METRICS: &str = "metrics.jsonl";

/// The file, open and locked for as long as the run goes on.
#[derive(Debug)]
pub(crate) struct Metrics {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines.
    whole: u64,
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
    /// Starts the file in `folder`, which will be called `known_as`.
    pub(super) fn create(folder: &Path, known_as: &Path, every: u64) -> Result<Self, Error> {
        let path = known_as.join(METRICS);
        let file = File::create_new(folder.join(METRICS)).map_err(Error::file("write", &path))?;
        // Some file systems have no locks; then nothing warns of a second run in the same folder.
        let _ = file.try_lock();
        Ok(Self {
            file,
            path,
            whole: 0,
            every,
        })
    }

    /// Goes on with the file in `folder`: lines of what comes after the batch `told` or the epoch `epochs` will be written again,
    /// and go, as does the half line of a program that was killed.
    pub(super) fn reopen(folder: &Path, every: u64, told: u64, epochs: u64) -> Result<Self, Error> {
        let path = folder.join(METRICS);
        let file = File::options().read(true).append(true).open(&path);
        let mut file = file.map_err(Error::file("write", &path))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::FolderInUse(folder.to_owned()));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(Error::file("read", &path))?;
        let mut whole = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let known = match serde_json::from_slice(line) {
                Ok(Line::Step(step)) => step.step <= told,
                Ok(Line::Epoch(epoch)) => epoch.epoch <= epochs,
                Err(_) => false,
            };
            if !known || !line.ends_with(b"\n") {
                break;
            }
            whole += line.len() as u64;
        }
        file.set_len(whole).map_err(Error::file("write", &path))?;
        Ok(Self {
            file,
            path,
            whole,
            every,
        })
    }

    fn write(&mut self, line: &Line) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line).map_err(|e| Error::Bug(e.to_string()))?;
        text.push(b'\n');
        // One call a line, so that a reader never sees half of one. On a full disk it may be written in part.
        let written = self.file.write_all(&text);
        if written.is_err() {
            let _ = self.file.set_len(self.whole);
        }
        written.map_err(Error::file("write", &self.path))?;
        self.whole += text.len() as u64;
        Ok(())
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
