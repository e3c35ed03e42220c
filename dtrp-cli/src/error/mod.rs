//! What can go wrong, and the exit code of each class.

mod failure;

pub(crate) use failure::Failure;

use crate::config::ConfigError;
use dtrp_data::DataError;
use dtrp_models::ModelError;
use dtrp_predictors::PredictorError;
use dtrp_train::TrainError;
use dtrp_train::schedule::ScheduleError;
use std::path::{Path, PathBuf};

/// The exit code of a bug in dtrp.
pub(crate) const BUG: u8 = 1;

/// The exit code of wrong usage.
pub(crate) const USAGE: u8 = 2;

/// The exit codes, as `--help` shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  a bug in dtrp
    2  wrong usage of the command line
    3  configuration: YAML, unknown key, wrong type or value
    4  data or checkpoint: missing, truncated, unreadable, or not to be had
    5  model, method, cuts or schedule: no such thing, or they do not fit together
    6  device not available, or an error of libtorch
    7  training has diverged (the loss is no longer a finite number)
    8  predictor plug-in
    9  output: the run's folder, another file or stdout cannot be written
   10  a worker failed or stalled, or the system killed a run of a comparison
  130  interrupted (Ctrl-C, SIGTERM, SIGHUP, SIGUSR1)";

/// An error of the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Of the training: from what was asked for to the last batch.
    #[error(transparent)]
    Train(TrainError),
    /// A setting of the configuration, of which the library says what is wrong with it.
    #[error("{place}: {error}")]
    Key {
        /// Where it stands, and its path.
        place: String,
        /// What is wrong.
        error: TrainError,
    },
    /// A training that failed, with what was kept of it and what may help.
    #[error("{error}{advice}")]
    Run {
        /// What happened.
        error: TrainError,
        /// What to do.
        advice: String,
    },
    /// What `dtrp data` was asked for is not to be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Files of a data set are wrong, as `dtrp data` found.
    #[error("{0}")]
    BadData(String),
    /// What was asked for does not fit together.
    #[error("{0}")]
    Fit(String),
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
    /// A file that a run has left.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Stdout.
    #[error("standard output: cannot be written: {0}")]
    Stdout(#[source] std::io::Error),
    /// The folder belongs to a run that is still going on.
    #[error(
        "{}: a run that is still going on writes there; give this one another `run.name`, or leave out --no-number", .0.display()
    )]
    FolderInUse(PathBuf),
    /// What has the name of the run's folder was not made by a run.
    #[error(
        "{}: is there already, and is not the folder of a run (with config.yaml and metrics.jsonl): it is left as it is; \
         give this run another `run.name` or `run.dir`", .0.display()
    )]
    NotARun(PathBuf),
    /// `dtrp doctor` found something broken.
    #[error("{0}")]
    Unhealthy(String),
    /// A plug-in breaks rules that every predictor must keep; the report has said which.
    #[error("{}: the plug-in does not pass the check", .0.display())]
    Nonconforming(PathBuf),
    /// A run of a comparison failed.
    #[error("the run `{name}` {}", failure.told())]
    Variant {
        /// The run.
        name: String,
        /// How.
        failure: Failure,
    },
    /// What was typed names something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// What must not happen.
    #[error("{0}; this is a bug in dtrp")]
    Bug(String),
}

impl Error {
    /// The exit code of a run that has diverged.
    pub(crate) const DIVERGED: u8 = 7;

    /// The exit code where a worker failed, or the system ended a run.
    pub(crate) const WORKER: u8 = 10;

    /// The exit code of the error's class; [`EXIT_CODES`] is the table for people.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Bug(_) => BUG,
            Error::Usage(_) => USAGE,
            Error::Variant { failure, .. } => failure.code(),
            Error::Nonconforming(_) => 8,
            // A method has no such order: as where there is no such method.
            Error::Config(ConfigError::UnknownWord { path, .. }) if path.starts_with("method.") => 5,
            Error::Config(_) => 3,
            Error::Data(_) | Error::BadData(_) => 4,
            Error::Fit(_) => 5,
            Error::Unhealthy(_) => 6,
            Error::Read { .. } => 4,
            Error::File { .. } | Error::Stdout(_) | Error::FolderInUse(_) | Error::NotARun(_) => 9,
            Error::Train(error) | Error::Key { error, .. } | Error::Run { error, .. } => code_of(error),
        }
    }

    /// For `map_err` around reading.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    }

    /// For `map_err` around other file operations.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::File { path, action, source }
    }
}

fn code_of(error: &TrainError) -> u8 {
    match error {
        TrainError::Setting(_) | TrainError::Device { exists: false, .. } => 3,
        TrainError::Data(error) if error.is_of_request() => 3,
        TrainError::Batch(error) if matches!(error.downcast_ref(), Some(DataError::Waits(_))) => Error::WORKER,
        TrainError::Data(_) | TrainError::Batch(_) => 4,
        TrainError::Device { .. } | TrainError::Libtorch { .. } | TrainError::Model(ModelError::Memory { .. }) => 6,
        TrainError::Diverged(_) => Error::DIVERGED,
        TrainError::Predictor { plugin: true, .. } => 8,
        TrainError::Checkpoint(error) if !error.writing => 4,
        TrainError::Checkpoint(_) | TrainError::Weights(_) | TrainError::Subscriber(_) => 9,
        TrainError::Worker { .. } => Error::WORKER,
        TrainError::Stopped(_) => 130,
        TrainError::Bug(_) => BUG,
        // What was asked for does not exist, or does not fit together.
        _ => 5,
    }
}

impl From<TrainError> for Error {
    /// What one of this program's own subscribers said is told as such.
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Subscriber(source) => match source.downcast::<Error>() {
                Ok(own) => *own,
                // Of a subscriber of the library's, which names its file.
                Err(source) => match source.downcast::<TrainError>() {
                    Ok(own) => Error::Train(*own),
                    Err(source) => Error::Train(TrainError::Subscriber(source)),
                },
            },
            other => Error::Train(other),
        }
    }
}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Self {
        Error::Train(error.into())
    }
}

impl From<ScheduleError> for Error {
    fn from(error: ScheduleError) -> Self {
        Error::Train(error.into())
    }
}

/// An error of a predictor, `plugin` if it comes from a shared library.
pub(crate) fn of_predictor(source: PredictorError, plugin: bool) -> Error {
    Error::Train(TrainError::Predictor { plugin, source })
}
