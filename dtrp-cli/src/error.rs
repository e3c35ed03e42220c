//! What can go wrong, and the exit code of each class.

use crate::config::ConfigError;
use dtrp_core::engine::{EngineError, StageFailure};
use dtrp_core::schedule::ScheduleError;
use dtrp_core::torch::{OutOfMemory, TorchError};
use dtrp_data::DataError;
use dtrp_models::ModelError;
use dtrp_predictors::PredictorError;
use std::path::{Path, PathBuf};

/// The exit code of a bug in dtrp.
pub(crate) const BUG: u8 = 1;

/// The exit codes, as `--help` shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  a bug in dtrp
    2  wrong usage of the command line
    3  configuration: YAML, unknown key, wrong type or value
    4  data: missing, truncated, unreadable, or not to be had
    5  model, method, cuts or schedule: no such thing, or they do not fit together
    6  device not available, or an error of libtorch
    7  training has diverged (the loss is no longer a finite number)
    8  predictor plug-in
    9  input or output: the run's folder cannot be written
   10  a worker failed or stalled
  130  interrupted (Ctrl-C)";

/// An error of the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data set cannot be opened or read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A batch could not be read while training.
    #[error("{0}")]
    Batch(String),
    /// Files of a data set are wrong, as `dtrp data` found.
    #[error("{0}")]
    BadData(String),
    /// The model does not exist, or cannot be built or cut as asked.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Weights to start from do not fit the network.
    #[error("model.init_from: {}: {message}", path.display())]
    InitFrom {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },
    /// The method does not exist, or cannot be laid out as asked.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The parts of the configuration do not fit together.
    #[error("{0}")]
    Fit(String),
    /// A predictor that is linked into the program.
    #[error("{0}")]
    Predictor(PredictorError),
    /// A predictor from a plug-in.
    #[error("{0}")]
    Plugin(PredictorError),
    /// A device that is not there.
    #[error("device {device} is not available: {why}")]
    Device {
        /// As the configuration names it.
        device: String,
        /// Why, and what to do.
        why: String,
    },
    /// libtorch failed.
    #[error("libtorch: {0}")]
    Libtorch(String),
    /// The loss is no longer finite.
    #[error("{0}")]
    Diverged(String),
    /// A file of the run.
    #[error("{}: cannot {action}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// A verb.
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The run's weights.
    #[error("{0}")]
    Weights(ModelError),
    /// The folder belongs to a run that is still going on.
    #[error(
        "{}: a run that is still going on writes there; give this one another `run.name`", .0.display()
    )]
    FolderInUse(PathBuf),
    /// A worker panicked or stalled.
    #[error("{0}")]
    Worker(String),
    /// Ctrl-C.
    #[error("interrupted{0}")]
    Interrupted(String),
    /// `dtrp doctor` found something broken.
    #[error("{0}")]
    Unhealthy(String),
    /// A plug-in breaks rules that every predictor must keep; the report has said which.
    #[error("{}: the plug-in does not pass the check", .0.display())]
    Nonconforming(PathBuf),
    /// A run of a comparison failed; it has said why.
    #[error("the run `{name}` failed with exit code {code}; see above")]
    Variant {
        /// The run.
        name: String,
        /// Its exit code.
        code: u8,
    },
    /// What must not happen.
    #[error("{0}; this is a bug in dtrp")]
    Bug(String),
}

impl Error {
    /// The exit code of a run that has diverged.
    pub(crate) const DIVERGED: u8 = 7;

    /// The exit code of the error's class; [`EXIT_CODES`] is the table for people.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Bug(_) => BUG,
            Error::Variant { code, .. } => *code,
            Error::Nonconforming(_) => 8,
            Error::Config(_) => 3,
            Error::Data(_) | Error::Batch(_) | Error::BadData(_) => 4,
            Error::Model(_) | Error::InitFrom { .. } | Error::Schedule(_) | Error::Fit(_) | Error::Predictor(_) => 5,
            Error::Device { .. } | Error::Libtorch(_) | Error::Unhealthy(_) => 6,
            Error::Diverged(_) => Self::DIVERGED,
            Error::Plugin(_) => 8,
            Error::File { .. } | Error::Weights(_) | Error::FolderInUse(_) => 9,
            Error::Worker(_) => 10,
            Error::Interrupted(_) => 130,
        }
    }

    /// For `map_err` around file operations.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::File { path, action, source }
    }

    /// A failed run of a program.
    pub(crate) fn of_engine(error: EngineError<TorchError>, plugin: bool) -> Self {
        let EngineError::Worker {
            worker,
            action,
            failure,
            around,
        } = error
        else {
            // Every program was made and analysed by dtrp itself.
            return Error::Bug(error.to_string());
        };
        let told = |what: &str| format!("worker {worker} failed at {action}: {what}\n{around}");
        match *failure {
            StageFailure::Error(error) => Self::of_torch(error, plugin, told),
            other => Error::Worker(told(&other.to_string())),
        }
    }

    /// An error of the libtorch stage; `told` says where it happened.
    pub(crate) fn of_torch(error: TorchError, plugin: bool, told: impl FnOnce(&str) -> String) -> Self {
        match error {
            TorchError::Data(message) => Error::Batch(message),
            TorchError::Tch(_) | TorchError::Libtorch { .. } => {
                tracing::debug!("{error}");
                let message = error.to_string();
                Error::Libtorch(told(&match OutOfMemory::of(&message) {
                    Some(memory) => out_of_memory(&memory),
                    None => without_backtrace(&message).to_owned(),
                }))
            }
            TorchError::Predictor(error) => Self::of_predictor(error, plugin),
            TorchError::Diverged { .. } => Error::Diverged(told(&error.to_string())),
            TorchError::Shape { .. } => Error::Fit(error.to_string()),
            TorchError::Missing { .. } => Error::Bug(told(&error.to_string())),
        }
    }

    /// An error of a predictor, `plugin` if it comes from a shared library.
    pub(crate) fn of_predictor(error: PredictorError, plugin: bool) -> Self {
        match error {
            error if plugin => Error::Plugin(error),
            error => Error::Predictor(error),
        }
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
    format!(
        "{place} has not enough memory: {asked} were asked for{free}; a smaller data.batch_size, method.micro_batches, \
         method.order: eager (fewer stored inputs) or run.precision: bf16 need less"
    )
}

/// The message of a libtorch error without the C++ stack that follows it.
fn without_backtrace(message: &str) -> &str {
    let end = message.find("\nException raised from");
    message[..end.unwrap_or(message.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_not_there() {
        let message = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 1 has a total capacity of 15.77 GiB of which \
                       13.56 MiB is free. Process 7 has 15.75 GiB memory in use.";
        let error = TorchError::Libtorch {
            what: "conv2d",
            message: message.to_owned(),
        };
        let error = Error::of_torch(error, false, |what| format!("worker 2 failed at F(3): {what}"));
        assert_eq!(error.exit_code(), 6);
        let text = error.to_string();
        for part in [
            "worker 2 failed at F(3)",
            "cuda:1",
            "20.00 MiB were asked for",
            "13.56 MiB were free",
            "data.batch_size",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
