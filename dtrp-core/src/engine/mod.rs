//! Makes it happen: workers interpret a program over a [`Stage`] each, connected by links.
//!
//! [`run`] analyses the program first, runs it with the chosen [`Executor`], and checks at the end that what ran equals
//! the program. The first error wins: everyone stops, nobody hangs. Knows nothing of tensors.

mod channels;
mod crew;
mod doing;
mod error;
mod link;
mod sequential;
mod stage;
mod threads;
mod watch;
mod worker;

pub use channels::Channels;
pub use crew::{Crew, left_behind};
pub use doing::{Busy, Doing};
pub use error::{EngineError, StageFailure};
pub use link::{Broken, Link, Unsent};
pub use stage::Stage;

use crate::analysis::{self, ProgramReport};
use crate::schedule::Program;
use crate::trace::{Recording, Trace};
use dtrp_text::words;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Who executes the workers of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Executor {
    /// A thread for every worker.
    #[default]
    Threads,
    /// One thread that interprets all workers in turn; the reference that the others are compared with.
    Sequential,
}

words!(Executor, "executor", [Threads "threads", Sequential "sequential"]);

/// How a program is run.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Who executes the workers.
    pub executor: Executor,
    /// Messages that a link holds in each direction before its sender waits.
    pub capacity: NonZeroUsize,
    /// How long nothing may happen before the run is given up: no action begins, none ends. Time in which the process is
    /// stopped does not count.
    pub watchdog: Duration,
    /// What the trace records of every action.
    pub recording: Recording,
    /// The threads that execute the workers; they stay for the next run with the same options.
    pub crew: Crew,
}

impl Default for EngineOptions {
    /// Threads, [`analysis::CAPACITY`] messages a link, a watchdog of ten minutes, times recorded.
    fn default() -> Self {
        Self {
            executor: Executor::Threads,
            capacity: analysis::CAPACITY,
            watchdog: Duration::from_secs(600),
            recording: Recording::Timed,
            crew: Crew::new(),
        }
    }
}

/// What a finished run leaves behind.
#[derive(Debug)]
pub struct Execution {
    /// What ran, action by action.
    pub trace: Trace,
    /// The analysis of the program.
    pub report: ProgramReport,
}

/// Runs a program with one stage for each of its workers, module 1 first.
///
/// # Errors
///
/// [`EngineError`]: the program is faulty (nothing ran), or the first failure of a worker; all others have stopped by
/// the time it is returned. Where the watchdog has fired and a worker does not come back from what it is doing, its thread
/// is left to itself, and `stages` is empty: a stage cannot be taken from a thread that uses it. [`left_behind`] says so then.
pub fn run<S: Stage>(
    program: &Program,
    stages: &mut Vec<S>,
    options: &EngineOptions,
) -> Result<Execution, EngineError<S::Error>> {
    let report = analysed(program, stages, options)?;
    let trace = match options.executor {
        Executor::Threads => {
            let links = Channels::row(stages.len(), options.capacity);
            threads::run(program, stages, links, options)?
        }
        Executor::Sequential => sequential::run(program, stages, options)?,
    };
    finished(program, trace, report)
}

/// Runs a program as [`run`] does, a thread for every worker, over links of another kind: one for each worker, module 1
/// first. They must hold [`EngineOptions::capacity`] messages in each direction, or a program that has been found to end
/// may not.
///
/// # Errors
///
/// As [`run`].
pub fn run_over<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    program: &Program,
    stages: &mut Vec<S>,
    links: Vec<L>,
    options: &EngineOptions,
) -> Result<Execution, EngineError<S::Error>> {
    let report = analysed(program, stages, options)?;
    if links.len() != stages.len() {
        return Err(EngineError::Links {
            links: links.len(),
            modules: stages.len(),
        });
    }
    let trace = threads::run(program, stages, links, options)?;
    finished(program, trace, report)
}

/// What is checked before anything runs.
fn analysed<S: Stage>(
    program: &Program,
    stages: &[S],
    options: &EngineOptions,
) -> Result<ProgramReport, EngineError<S::Error>> {
    if stages.len() != program.modules() {
        return Err(EngineError::Stages {
            stages: stages.len(),
            modules: program.modules(),
        });
    }
    Ok(analysis::analyse(program, options.capacity)?)
}

/// What is checked when everything has run.
fn finished<E: std::error::Error + 'static>(
    program: &Program,
    trace: Trace,
    report: ProgramReport,
) -> Result<Execution, EngineError<E>> {
    trace.check_against(program).map_err(EngineError::Trace)?;
    Ok(Execution { trace, report })
}
