//! What a run has left behind, read back as the typed values that were written.
//!
//! ```text
//! folders ── History::read ──> runs ── groups ──> Group: runs that differ in their seed alone
//!                                                   └─ Series: at each step or epoch mean and deviation
//! ```

mod differences;
mod groups;
mod metrics;
mod series;
mod statistics;

pub(crate) use differences::differences;
pub(crate) use groups::{Group, groups};
pub(crate) use series::{Axis, Of, Point, mean_of, thinned};
pub(crate) use statistics::{Paired, Spread, probability};

use crate::config::{Config, DIGITS};
use crate::costs;
use crate::error::Error;
use crate::run::{CONFIG, COSTS, METRICS, SUMMARY, TRACE, WEIGHTS, goes_on};
use dtrp_core::costs::Costs;
use dtrp_core::trace::Timeline;
use dtrp_text::read_text;
use dtrp_train::{End, EpochReport, StepReport, Summary};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A run's folder as it is typed: `FOLDER`, or `NAME=FOLDER` with a name for tables and legends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    name: Option<String>,
    folder: PathBuf,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, folder) = match text.split_once('=') {
            // The folder's own name may have the sign in it.
            Some((name, folder)) if !name.contains('/') && !Path::new(text).exists() => (Some(name), folder),
            _ => (None, text),
        };
        if name.is_some_and(str::is_empty) || folder.is_empty() {
            return Err("expected the folder of a run, or NAME=FOLDER".to_owned());
        }
        Ok(Self {
            name: name.map(str::to_owned),
            folder: crate::config::expanded(Path::new(folder))?,
        })
    }
}

impl Given {
    /// A folder with a name.
    pub(crate) fn named(name: &str, folder: &Path) -> Self {
        Self {
            name: Some(name.to_owned()),
            folder: folder.to_owned(),
        }
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It holds the lock on its metrics.
    Running,
    /// It has a summary.
    Ended(End),
    /// Neither: it was killed, or it goes on where file systems have no locks.
    Broken,
}

impl State {
    /// In a word.
    pub(crate) fn word(self) -> String {
        match self {
            State::Running => "running".to_owned(),
            State::Ended(end) => end.to_string(),
            State::Broken => "broken off".to_owned(),
        }
    }
}

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct History {
    /// For tables and legends.
    pub(crate) name: String,
    /// Whether the user has chosen it.
    pub(crate) named: bool,
    pub(crate) folder: PathBuf,
    pub(crate) state: State,
    pub(crate) config: Config,
    /// The logged batches, in order.
    pub(crate) steps: Vec<StepReport>,
    pub(crate) epochs: Vec<EpochReport>,
    /// Of a run that has ended.
    pub(crate) summary: Option<Summary>,
    /// Of the blocks, where they were measured.
    pub(crate) costs: Option<Costs>,
    /// What ran when in the first program, where that was recorded.
    pub(crate) timeline: Option<Timeline>,
    /// Where the weights are, if there are any.
    pub(crate) weights: Option<PathBuf>,
}

impl History {
    /// Reads what there is of a run, also while it goes on.
    ///
    /// # Errors
    ///
    /// [`Error::BadData`] where the folder is not that of a run, or one of its files is damaged; [`Error::Config`] where its
    /// configuration is; [`Error::Read`].
    pub(crate) fn read(given: &Given) -> Result<Self, Error> {
        let folder = &given.folder;
        check_folder(folder)?;
        // Before the rest is read: what ends meanwhile is shown as still running, not as broken off.
        let running = goes_on(folder);
        let config = Config::load(Some(&folder.join(CONFIG)), DIGITS, &[])?;
        let path = folder.join(SUMMARY);
        let summary: Option<Summary> = match optional(&path)? {
            Some(text) => Some(serde_json::from_str(&text).map_err(|error| damaged(&path, &error.to_string()))?),
            None => None,
        };
        let (steps, epochs) = metrics::read(&folder.join(METRICS), summary.is_some())?;
        let path = folder.join(TRACE);
        let timeline = match optional(&path)? {
            Some(text) => Some(Timeline::from_chrome(&text).map_err(|error| damaged(&path, &error.to_string()))?),
            None => None,
        };
        let path = folder.join(COSTS);
        let costs = if path.exists() { Some(costs::read(&path)?) } else { None };
        let weights = Some(folder.join(WEIGHTS)).filter(|path| path.exists());
        let state = match &summary {
            Some(summary) => State::Ended(summary.end),
            None if running => State::Running,
            None => State::Broken,
        };
        Ok(Self {
            name: given.name.clone().unwrap_or_else(|| name_of(folder)),
            named: given.name.is_some(),
            folder: folder.clone(),
            state,
            config,
            steps,
            epochs,
            summary,
            costs,
            timeline,
            weights,
        })
    }

    /// Reads several, and gives those of one name another.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), for the first that is wrong.
    pub(crate) fn read_all(given: &[Given]) -> Result<Vec<Self>, Error> {
        let mut runs: Vec<Self> = given.iter().map(Self::read).collect::<Result<_, _>>()?;
        let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
        for run in &mut runs {
            if !run.named && names.iter().filter(|name| **name == run.name).count() > 1 {
                run.name = run.folder.display().to_string();
            }
        }
        Ok(runs)
    }

    /// Batches of a whole epoch, once one has been trained.
    pub(crate) fn batches_per_epoch(&self) -> Option<f64> {
        let first = self.epochs.first()?;
        Some(first.step as f64 / first.epoch as f64)
    }
}

/// What the runs' files are like: as long as it is the same, so are the runs.
pub(crate) fn signature(given: &[Given]) -> String {
    let file = |given: &Given, name: &str| {
        let found = given.folder.join(name).metadata().ok();
        found.map(|found| (found.len(), found.modified().ok()))
    };
    let run = |given: &Given| {
        let files = [CONFIG, METRICS, SUMMARY, TRACE, COSTS].map(|name| file(given, name));
        (files, goes_on(&given.folder))
    };
    format!("{:?}", given.iter().map(run).collect::<Vec<_>>())
}

/// The folder's own name, also where it is given as `.`.
fn name_of(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| folder.display().to_string())
}

/// The folder must be one that a run has made.
fn check_folder(folder: &Path) -> Result<(), Error> {
    let there = folder.metadata().map_err(Error::read(folder))?;
    let is_run = |folder: &Path| folder.join(CONFIG).is_file() && folder.join(METRICS).is_file();
    if there.is_dir() && is_run(folder) {
        return Ok(());
    }
    let shown = folder.display();
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let inside = entries.filter(|entry| is_run(&entry.path())).count();
    let advice = match inside {
        0 => "give the folder that `dtrp train` named at its end".to_owned(),
        1.. => format!("there are runs in it ({inside}): give those, as with {shown}/*"),
    };
    Err(Error::BadData(format!(
        "{shown}: not the folder of a run, which has {CONFIG} and {METRICS}; {advice}"
    )))
}

/// The text of a file that need not be there.
fn optional(path: &Path) -> Result<Option<String>, Error> {
    match read_text(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some).map_err(Error::read(path)),
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::BadData(format!(
        "{}: damaged, or of another version of dtrp: {what}",
        path.display()
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of a run that was trained to its end, and of which nothing else is known.
    pub(crate) fn summary() -> Summary {
        let summary = serde_json::json!({
            "dtrp_version": "1.2.3", "end": "finished", "interrupted": false, "data": "digits", "model": "tiny",
            "method": "dtrp", "order": "lockstep", "seed": 1, "batch_size": 8, "lr": 0.1, "modules": 2, "parameters": 10,
            "epochs": 2, "steps": 4, "wall_seconds": 1.0, "train_seconds": 1.0, "workers": [],
        });
        serde_json::from_value(summary).unwrap()
    }

    /// A run that exists in memory alone, with these losses after its epochs of two batches.
    pub(crate) fn run(name: &str, seed: u64, losses: &[f64]) -> History {
        let mut config = Config::load(None, DIGITS, &[]).unwrap();
        config.settings.run.seed = seed;
        let epoch = |(index, loss): (usize, &f64)| EpochReport {
            epoch: index as u64 + 1,
            step: 2 * (index as u64 + 1),
            train_loss: *loss,
            test_loss: loss + 1.0,
            test_accuracy: 0.5,
            images_per_second: 100.0,
            peak_rss_bytes: None,
            seconds: (index + 1) as f64 * seed as f64,
            workers: vec![dtrp_train::WorkerReport {
                busy_share: 0.75,
                staleness_max: 1,
                stored_input_peak_bytes: 0,
                prediction_gain: Some(0.5),
            }],
        };
        let step = |(index, loss): (usize, &f64)| StepReport {
            step: index as u64 + 1,
            epoch: index as u64 / 2 + 1,
            loss: *loss,
            lr: 0.1,
            seconds: index as f64 * seed as f64,
        };
        History {
            name: name.to_owned(),
            named: false,
            folder: name.into(),
            state: State::Broken,
            config,
            steps: losses.iter().enumerate().map(step).collect(),
            epochs: losses.iter().enumerate().map(epoch).collect(),
            summary: None,
            costs: None,
            timeline: None,
            weights: None,
        }
    }

    #[test]
    fn names_before_folders() {
        let given = |text: &str| text.parse::<Given>().map(|given| (given.name, given.folder));
        assert_eq!(given("runs/a"), Ok((None, "runs/a".into())));
        assert_eq!(given("bp=runs/a"), Ok((Some("bp".into()), "runs/a".into())));
        assert_eq!(given("runs/lr=0.1"), Ok((None, "runs/lr=0.1".into())));
        assert!(given("=runs/a").is_err() && given("bp=").is_err());
    }
}
