//! Training runs for commands that compare them: every run is a process of its own, so that none inherits another's
//! memory, threads or allocator state. It ends with this program, however this program ends.

mod asked;
mod child;
mod files;
mod many;

pub(super) use asked::Asked;
pub(super) use files::Marks;
pub(super) use many::Job;

use crate::config::Layers;
use crate::error::{Error, Failure};
use crate::progress;
use crate::run::{Line, METRICS, SUMMARY};
use child::{Child, Stderr};
use clap::ValueEnum;
use dtrp_train::{Stop, Summary, TrainError, WorkerSummary};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Text,
    Markdown,
    /// Everything that was measured
    Json,
}

/// Runs that share a configuration.
#[derive(Debug, Clone)]
pub(super) struct Runs<'a> {
    layers: &'a Layers,
    dir: &'a Path,
    stop: Stop,
}

/// What came of a run.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It has a summary: it was trained to its end, or its loss ceased to be a finite number.
    Ended(Box<Finished>),
    Failed(Failure),
}

/// A run that has come to its end.
#[derive(Debug)]
pub(super) struct Finished {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// How it ended.
    pub(super) summary: Summary,
}

impl<'a> Runs<'a> {
    /// Runs with this configuration, each in a folder of its own below `dir`. Once `stop` is requested, the one that goes on
    /// is ended in good order and no other is started.
    pub(super) fn new(layers: &'a Layers, dir: &'a Path, stop: &Stop) -> Result<Self, Error> {
        if layers.config.as_deref() == Some(Path::new("-")) {
            let text = "--config -: several runs cannot share what can be read only once; write it to a file";
            return Err(Error::Fit(text.to_owned()));
        }
        Ok(Self {
            layers,
            dir,
            stop: stop.clone(),
        })
    }

    /// Trains with these further keys, into a folder of this name.
    ///
    /// # Errors
    ///
    /// [`TrainError::Stopped`] if the program was asked to stop meanwhile; [`Error::File`] where a run cannot be started, or
    /// its summary not be read.
    pub(super) fn train(&self, folder: &str, sets: &[String]) -> Result<Outcome, Error> {
        self.go_on()?;
        let mut command = self.training(folder, sets)?;
        let status = Child::start(&mut command, Stderr::Shared)?.wait(&self.stop)?.status;
        match status.code() {
            Some(0) => self.finished(folder),
            Some(code) if code == i32::from(Error::DIVERGED) => self.finished(folder),
            _ => {
                self.go_on()?;
                Ok(Outcome::Failed(Failure::of(status, None)))
            }
        }
    }

    fn go_on(&self) -> Result<(), Error> {
        if self.stop.requested() {
            return Err(Error::Train(TrainError::Stopped(String::new())));
        }
        Ok(())
    }

    /// Builds everything with these further keys, and trains nothing. Returns what is wrong.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    pub(super) fn try_out(&self, sets: &[String]) -> Result<Option<Failure>, Error> {
        let mut command = self.command(sets)?;
        // Its error is read here.
        command.args(["--dry-run", "--log-format", "human"]);
        let ended = Child::start(&mut command, Stderr::Kept)?.wait(&self.stop)?;
        self.go_on()?;
        if ended.status.success() {
            return Ok(None);
        }
        let message = ended.said.lines().find_map(|line| line.strip_prefix("error: "));
        Ok(Some(Failure::of(ended.status, message.map(str::to_owned))))
    }

    /// What trains into a folder of this name.
    fn training(&self, folder: &str, sets: &[String]) -> Result<Command, Error> {
        let mut command = self.command(sets)?;
        command.arg("--dir").arg(self.dir);
        if progress::is_json() {
            command.args(["--log-format", "json"]);
        }
        command.args(["--set", "run.progress=none", "--no-number", "--name", folder]);
        Ok(command)
    }

    fn command(&self, sets: &[String]) -> Result<Command, Error> {
        let program = std::env::current_exe().map_err(Error::file("find", Path::new("dtrp")))?;
        let mut command = Command::new(program);
        command.args(["--quiet", "train"]);
        if let Some(config) = &self.layers.config {
            command.arg("--config").arg(config);
        }
        let shared = self.layers.sets.iter().map(|set| set.text());
        for set in shared.chain(sets.iter().map(String::as_str)) {
            command.args(["--set", set]);
        }
        Ok(command)
    }

    fn finished(&self, folder: &str) -> Result<Outcome, Error> {
        let folder = self.dir.join(folder);
        let path = folder.join(SUMMARY);
        let text = std::fs::read_to_string(&path).map_err(Error::read(&path))?;
        let summary = parse(&path, &text)?;
        Ok(Outcome::Ended(Box::new(Finished { folder, summary })))
    }
}

impl Finished {
    /// The logged losses in order: with `run.log_every=1`, those of all batches.
    pub(super) fn losses(&self) -> Result<Vec<f64>, Error> {
        let path = self.folder.join(METRICS);
        let text = std::fs::read_to_string(&path).map_err(Error::read(&path))?;
        let mut losses = Vec::new();
        for line in text.lines() {
            if let Line::Step(step) = parse(&path, line)? {
                losses.push(step.loss);
            }
        }
        Ok(losses)
    }
}

/// Longer names of folders are cut.
const LONGEST: usize = 120;

/// The name of a folder for a run called `name`, as far as its characters allow.
pub(super) fn folder_name(name: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || c == '.' => c,
        _ => '-',
    };
    // Room is left for a seed and a number.
    name.chars().map(plain).take(LONGEST).collect()
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Bug(format!("{}: {error}", path.display())))
}

/// A number of all workers that have it.
pub(super) fn of_workers(summary: &Summary, number: impl Fn(&WorkerSummary) -> Option<f64>) -> Vec<f64> {
    summary.workers.iter().filter_map(number).collect()
}

/// Mean of the numbers; `None` if there are none.
pub(super) fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}
