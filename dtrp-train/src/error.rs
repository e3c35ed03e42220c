//! What can go wrong with a training, from the settings to the last batch.

use crate::settings::SettingError;
use dtrp_core::costs::CostsError;
use dtrp_core::engine::{EngineError, StageFailure};
use dtrp_core::partition::PartitionError;
use dtrp_core::schedule::{Action, ScheduleError};
use dtrp_core::torch::{OutOfMemory, TorchError};
use dtrp_data::DataError;
use dtrp_models::ModelError;
use dtrp_predictors::PredictorError;
use std::fmt;
use std::path::{Path, PathBuf};

/// The result of most things here.
pub type Result<T, E = TrainError> = std::result::Result<T, E>;

/// Any error that a subscriber or a source of data may have.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error of a training. Nothing that makes a run wrong is found later than it can be: all but the last six kinds come
/// from [`Training::build`](crate::Training::build).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting makes no sense.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Settings, data and network do not fit together.
    #[error("{0}")]
    Fit(String),
    /// The data set does not exist, or its files are not as they should be.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network does not exist, or cannot be built or cut as asked.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The weights to start from are not this network's.
    #[error("model.init_from: {}: {message}", path.display())]
    InitFrom {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },
    /// A checkpoint is not there, not whole, of another run, or cannot be written.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// Weights to be used are not this network's.
    #[error("{}: {message}", path.display())]
    NotItsWeights {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },
    /// The method does not exist, or cannot be laid out as asked.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A program that was given does not fit, or cannot be read.
    #[error("{}{message}", .path.as_ref().map_or_else(String::new, |path| format!("{}: ", path.display())))]
    Program {
        /// The file, if it came from one.
        path: Option<PathBuf>,
        /// What is wrong with it, and where.
        message: String,
    },
    /// There is no partition: too few blocks, or too little memory.
    #[error("cuts: {0}")]
    Partition(#[from] PartitionError),
    /// Costs do not fit the network.
    #[error(transparent)]
    Costs(#[from] CostsError),
    /// A device is not there, or nothing is called so.
    #[error("device {} is not available: {why}", dtrp_text::shortened(device))]
    Device {
        /// As the settings name it.
        device: String,
        /// Whether devices are called so, on this machine or another.
        exists: bool,
        /// Why, and what to do.
        why: String,
    },
    /// A predictor: it does not exist, does not go with the optimizer, or failed at work.
    #[error("{source}")]
    Predictor {
        /// Whether it comes from a shared library.
        plugin: bool,
        /// What is wrong.
        source: PredictorError,
    },
    /// libtorch failed.
    #[error("libtorch: {}{}{}", Told(place), told(source), Around(place))]
    Libtorch {
        /// Where, if a worker was at work.
        place: Option<Box<Place>>,
        /// libtorch's message.
        source: TorchError,
    },
    /// The run was asked to stop.
    #[error("interrupted{0}")]
    Stopped(
        /// What was going on, such as ` in epoch 3`.
        String,
    ),
    /// The loss is no longer a finite number.
    #[error("training has diverged: {0}")]
    Diverged(
        /// The loss, and where.
        String,
    ),
    /// A batch could not be read.
    #[error("{0}")]
    Batch(#[source] BoxError),
    /// A worker failed, panicked or stalled. One that never comes back keeps its module: the trainer can do no more, and
    /// [`left_behind`](crate::left_behind) says so.
    #[error("{place}: {source}\n{}", place.around)]
    Worker {
        /// Which, and at what.
        place: Place,
        /// What happened.
        source: Box<StageFailure<TorchError>>,
    },
    /// Weights could not be written.
    #[error("{0}")]
    Weights(#[source] ModelError),
    /// A subscriber of the events failed.
    #[error("{0}")]
    Subscriber(#[source] BoxError),
    /// What must not happen.
    #[error("{0}; this is a bug in dtrp")]
    Bug(String),
}

/// What is wrong with a checkpoint, or why it cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct CheckpointError {
    /// The folder or the file.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub problem: String,
    /// Whether writing failed.
    pub writing: bool,
}

impl CheckpointError {
    pub(crate) fn reading(path: &Path, problem: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            problem: problem.into(),
            writing: false,
        }
    }

    pub(crate) fn writing(path: &Path, error: &std::io::Error) -> Self {
        Self {
            path: path.to_owned(),
            problem: format!("the checkpoint cannot be written: {error}"),
            writing: true,
        }
    }
}

/// Where in a program something happened.
#[derive(Debug, Clone)]
pub struct Place {
    /// The worker, from 1.
    pub worker: usize,
    /// What it was doing.
    pub action: Action,
    /// The part of the program around it, with an arrow.
    pub around: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} failed at {}", self.worker, self.action)
    }
}

/// Where it was, as the beginning of a sentence.
struct Told<'a>(&'a Option<Box<Place>>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(place) => write!(f, "{place}: "),
            None => Ok(()),
        }
    }
}

/// The program around it, where it was in one.
struct Around<'a>(&'a Option<Box<Place>>);

impl fmt::Display for Around<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(place) => write!(f, "\n{}", place.around),
            None => Ok(()),
        }
    }
}

impl TrainError {
    /// A failed run of a program. Where the run was asked to stop, `stopped` says what was going on.
    pub(crate) fn of_engine(error: EngineError<TorchError>, plugin: bool, stopped: &str) -> Self {
        let EngineError::Worker {
            worker,
            action,
            failure,
            around,
        } = error
        else {
            // Every program was made, or read, and analysed before.
            return Self::Bug(error.to_string());
        };
        let place = Place { worker, action, around };
        match *failure {
            StageFailure::Error(TorchError::Stopped) => Self::Stopped(stopped.to_owned()),
            StageFailure::Error(error @ TorchError::Missing { .. }) => Self::Bug(format!("{place}: {error}")),
            StageFailure::Error(TorchError::Diverged { unit, loss }) => {
                Self::Diverged(format!("the loss of batch {unit} is {loss} (worker {worker})"))
            }
            StageFailure::Error(error) => Self::of_torch(error, plugin, Some(place)),
            other => Self::Worker {
                place,
                source: Box::new(other),
            },
        }
    }

    /// An error of the libtorch stage.
    pub(crate) fn of_torch(error: TorchError, plugin: bool, place: Option<Place>) -> Self {
        match error {
            TorchError::Data(source) => Self::Batch(source),
            TorchError::Stopped => Self::Stopped(String::new()),
            TorchError::Predictor(source) => Self::Predictor { plugin, source },
            TorchError::Shape { .. }
            | TorchError::ElementType { .. }
            | TorchError::Absent { .. }
            | TorchError::Unfit { .. }
            | TorchError::NotSaved => Self::Fit(error.to_string()),
            TorchError::Diverged { unit, loss } => Self::Diverged(format!("the loss of batch {unit} is {loss}")),
            TorchError::Missing { .. } => Self::Bug(error.to_string()),
            // A rate, a decay or a predictor's coefficient, which libtorch refuses rather than make it infinite.
            error if error.to_string().contains("without overflow") => {
                let place = place.map_or_else(String::new, |place| format!(" ({place})"));
                Self::Diverged(format!(
                    "a factor of an update is too large for the type of the weights{place}"
                ))
            }
            source => {
                tracing::debug!("{}", source.with_frames());
                let place = place.map(Box::new);
                Self::Libtorch { place, source }
            }
        }
    }
}

/// libtorch's message for people.
fn told(error: &TorchError) -> String {
    let message = error.to_string();
    match OutOfMemory::of(&message) {
        Some(memory) => out_of_memory(&memory),
        None => message.trim_start_matches("libtorch: ").to_owned(),
    }
}

/// What was asked for, what there was, and what to change. Which worker it was stands before it.
fn out_of_memory(memory: &OutOfMemory) -> String {
    let OutOfMemory { gpu, asked, free } = memory;
    let place = match gpu {
        Some(index) => format!("cuda:{index}"),
        None => "the host".to_owned(),
    };
    let free = match free {
        Some(free) => format!(", {free} were free"),
        None => String::new(),
    };
    let asked = match asked {
        Some(asked) => format!(": {asked} were asked for{free}"),
        None => String::new(),
    };
    format!(
        "{place} has not enough memory{asked}; a smaller data.batch_size, method.micro_batches, \
         method.order: eager (fewer stored inputs) or run.precision: bf16 need less"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtrp_core::schedule::{Op, Unit};

    #[test]
    fn memory_that_was_not_there() {
        let message = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 1 has a total capacity of 15.77 GiB of which \
                       13.56 MiB is free. Process 7 has 15.75 GiB memory in use.";
        let error = TorchError::Libtorch {
            what: "conv2d",
            message: message.to_owned(),
        };
        let place = Place {
            worker: 2,
            action: Action::new(Op::Forward, Unit::batch(3)),
            around: String::new(),
        };
        let text = TrainError::of_torch(error, false, Some(place)).to_string();
        for part in [
            "libtorch: worker 2 failed at F",
            "cuda:1",
            "20.00 MiB were asked for",
            "13.56 MiB were free",
            "data.batch_size",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
