//! Makes it happen: workers interpret a program over a [`Stage`] each, connected by links.
//!
//! [`run`] analyses the program first, runs it with the chosen [`Executor`], and checks at the end that what ran equals
//! the program. The first error wins: everyone stops, nobody hangs. Knows nothing of tensors.

mod error;
mod link;
mod sequential;
mod stage;
mod threads;
mod worker;

pub use error::{EngineError, StageFailure};
pub use stage::Stage;

use crate::analysis::{self, Report};
use crate::schedule::Program;
use crate::trace::{Recording, Trace};
use std::num::NonZeroUsize;
use std::time::Duration;

/// Who executes the workers of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Executor {
    /// A thread for every worker.
    Threads,
    /// One thread that interprets all workers in turn; the reference that the others are compared with.
    Sequential,
}

/// How a program is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who executes the workers.
    pub executor: Executor,
    /// Messages that a link holds in each direction before its sender waits.
    pub capacity: NonZeroUsize,
    /// How long a worker may wait for a neighbour before the run is given up.
    pub watchdog: Duration,
    /// What the trace records of every action.
    pub recording: Recording,
}

impl Default for Options {
    /// Threads, two messages a link, a watchdog of ten minutes, times recorded.
    fn default() -> Self {
        Self {
            executor: Executor::Threads,
            capacity: NonZeroUsize::MIN.saturating_add(1),
            watchdog: Duration::from_secs(600),
            recording: Recording::Timed,
        }
    }
}

/// What a finished run leaves behind.
#[derive(Debug)]
pub struct Outcome {
    /// What ran, action by action.
    pub trace: Trace,
    /// The analysis of the program.
    pub report: Report,
}

/// Runs a program with one stage for each of its workers, module 1 first.
///
/// # Errors
///
/// [`EngineError`]: the program is faulty (nothing ran), or the first failure of a worker; all others have stopped by
/// the time it is returned, and no thread is left behind.
pub fn run<S: Stage>(program: &Program, stages: &mut [S], options: &Options) -> Result<Outcome, EngineError<S::Error>> {
    if stages.len() != program.modules() {
        return Err(EngineError::Stages {
            stages: stages.len(),
            modules: program.modules(),
        });
    }
    let report = analysis::analyse(program, options.capacity)?;
    let trace = match options.executor {
        Executor::Threads => threads::run(program, stages, options)?,
        Executor::Sequential => sequential::run(program, stages, options)?,
    };
    trace.check_against(program).map_err(EngineError::Trace)?;
    Ok(Outcome { trace, report })
}
