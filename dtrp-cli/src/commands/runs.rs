//! Training runs for commands that compare them: every run is a process of its own, so that none inherits another's
//! memory, threads or allocator state.

use crate::config::Layers;
use crate::error::Error;
use crate::run::{Line, SUMMARY};
use clap::ValueEnum;
use dtrp_train::{Summary, WorkerSummary};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    Text,
    Markdown,
    /// Everything that was measured
    Json,
}

/// Runs that share a configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs<'a> {
    layers: &'a Layers,
    dir: &'a Path,
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
    /// Runs with this configuration, each in a folder of its own below `dir`.
    pub(super) fn new(layers: &'a Layers, dir: &'a Path) -> Result<Self, Error> {
        if layers.config.as_deref() == Some(Path::new("-")) {
            let text = "--config -: several runs cannot share what can be read only once; write it to a file";
            return Err(Error::Fit(text.to_owned()));
        }
        Ok(Self { layers, dir })
    }

    /// Trains with these further keys. The name becomes that of the folder, as far as its characters allow.
    ///
    /// # Errors
    ///
    /// [`Error::Variant`] if the run fails; it has said why on stderr.
    pub(super) fn train(&self, name: &str, sets: &[String]) -> Result<Finished, Error> {
        let program = std::env::current_exe().map_err(Error::file("find", Path::new("dtrp")))?;
        let folder: String = name.chars().map(plain).collect();
        let mut command = Command::new(&program);
        command.args(["--quiet", "train"]);
        if let Some(config) = &self.layers.config {
            command.arg("--config").arg(config);
        }
        let shared = self.layers.sets.iter().map(|set| set.text());
        for set in shared.chain(sets.iter().map(String::as_str)) {
            command.args(["--set", set]);
        }
        let dir = Value::from(self.dir.to_string_lossy());
        command.arg("--set").arg(format!("run.dir={dir}"));
        command.args(["--set", "run.progress=none", "--name", &folder]);
        let status = command.stdout(Stdio::null()).status();
        let status = status.map_err(Error::file("run", &program))?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        match code.unwrap_or(1) {
            0 => self.finished(&folder),
            code => Err(Error::Variant {
                name: name.to_owned(),
                code,
            }),
        }
    }

    /// As [`train`](Self::train), but a run whose loss ceases to be a finite number is a result too.
    pub(super) fn train_or_diverge(&self, name: &str, sets: &[String]) -> Result<Finished, Error> {
        match self.train(name, sets) {
            Err(error @ Error::Variant { .. }) if error.exit_code() == Error::DIVERGED => {
                let folder: String = name.chars().map(plain).collect();
                self.finished(&folder)
            }
            other => other,
        }
    }

    fn finished(&self, folder: &str) -> Result<Finished, Error> {
        let folder = self.dir.join(folder);
        let path = folder.join(SUMMARY);
        let text = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let summary = parse(&path, &text)?;
        Ok(Finished { folder, summary })
    }
}

impl Finished {
    /// The logged losses in order: with `run.log_every=1`, those of all batches.
    pub(super) fn losses(&self) -> Result<Vec<f64>, Error> {
        let path = self.folder.join("metrics.jsonl");
        let text = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let mut losses = Vec::new();
        for line in text.lines() {
            if let Line::Step(step) = parse(&path, line)? {
                losses.push(step.loss);
            }
        }
        Ok(losses)
    }
}

fn plain(c: char) -> char {
    match c {
        c if c.is_ascii_alphanumeric() || c == '.' => c,
        _ => '-',
    }
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
