//! How a run can fail.

use super::elsewhere::PeerFailure;
use super::paused::PausedError;
use crate::analysis::Fault;
use crate::schedule::Action;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError<E: std::error::Error + 'static> {
    /// There must be one stage for each worker.
    #[error("the program has {modules} modules, but there are {stages} stages")]
    Stages {
        /// Stages given.
        stages: usize,
        /// Modules of the program.
        modules: usize,
    },
    /// There must be one link for each worker.
    #[error("the program has {modules} modules, but there are {links} links")]
    Links {
        /// Links given.
        links: usize,
        /// Modules of the program.
        modules: usize,
    },
    /// The analysis rejected the program; nothing ran.
    #[error("the program is faulty: {0}")]
    Program(#[from] Fault),
    /// The run cannot go on from where it is said to have paused; nothing ran.
    #[error("the run cannot go on: {0}")]
    Paused(#[from] PausedError),
    /// What ran is not what the program says: a bug.
    #[error("the trace differs from the program: {0}")]
    Trace(String),
    /// A thread ended without handing back its stage: a bug.
    #[error("a worker's thread has ended, and its stage with it")]
    Lost,
    /// The run failed in another process, or with it.
    #[error("{0}")]
    Peer(PeerFailure),
    /// A worker failed.
    #[error("worker {worker} failed at {action}: {failure}\n{around}")]
    Worker {
        /// The worker, from 1.
        worker: usize,
        /// What it was doing.
        action: Action,
        /// What went wrong.
        #[source]
        failure: Box<StageFailure<E>>,
        /// The part of the program around the action, with an arrow.
        around: String,
    },
}

/// What went wrong in a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageFailure<E: std::error::Error + 'static> {
    /// The stage returned an error.
    #[error("{0}")]
    Error(#[source] E),
    /// The stage panicked: a bug in it.
    #[error("panic: {0}")]
    Panic(String),
    /// The watchdog fired: nothing happened for its time. The text says what each worker was doing. A worker that never
    /// comes back keeps its stage, and then all stages of the run are lost.
    #[error("{0}")]
    Stalled(String),
    /// The stage gave nothing where the program sends something, or the reverse.
    #[error("{0}")]
    Contract(&'static str),
}

impl<E: std::error::Error + 'static> EngineError<E> {
    /// The worker that failed, from 1; `None` if none had begun.
    pub fn worker(&self) -> Option<usize> {
        match self {
            EngineError::Worker { worker, .. } => Some(*worker),
            EngineError::Peer(peer) => peer.worker,
            _ => None,
        }
    }

    /// The stage's own error, if one is the cause.
    pub fn stage_error(&self) -> Option<&E> {
        match self {
            EngineError::Worker { failure, .. } => match &**failure {
                StageFailure::Error(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }
}
