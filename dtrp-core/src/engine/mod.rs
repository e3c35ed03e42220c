//! Makes it happen: workers interpret a program over a [`Stage`] each, connected by links.
//!
//! [`run`] analyses the program first, runs it with the chosen [`Executor`], and checks at the end that what ran equals
//! the program. The first error wins: everyone stops, nobody hangs. [`start`] and [`go_on`] run it with [pauses](Pause).
//! Knows nothing of tensors.

mod channels;
mod crew;
mod cuts;
mod doing;
mod elsewhere;
mod error;
mod execute;
mod link;
mod mail;
mod pause;
mod paused;
mod prepared;
mod sequential;
mod stage;
mod threads;
mod watch;
mod worker;

pub use channels::Channels;
pub use crew::{Crew, left_behind};
pub use doing::{Busy, Doing};
pub use elsewhere::{Elsewhere, PeerFailure, Placement, Verdict};
pub use error::{EngineError, StageFailure};
pub use link::{Broken, Link, Unsent};
pub use mail::Mail;
pub use pause::Pause;
pub use paused::{Paused, PausedError};
pub use stage::Stage;

use crate::analysis::{self, ProgramReport};
use crate::schedule::Program;
use crate::trace::{Recording, Trace};
use dtrp_text::words;
use execute::{execute, inside, placed, unpaused};
use std::fmt;
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
    /// What ran, action by action; of a run that has paused, from [`begin`](Execution::begin) on.
    pub trace: Trace,
    /// The analysis of the program.
    pub report: ProgramReport,
    /// The batch after whose cut the trace begins: 0 unless the run had paused in another process.
    pub after: u32,
    /// For each worker how many of its actions are before the trace: 0 unless the run had paused in another process.
    pub begin: Vec<usize>,
}

/// What a run that can be paused came to.
pub enum Ran<S: Stage> {
    /// It has come to the end of its program.
    Finished(Execution),
    /// It has paused, as was asked.
    Paused(Paused<S>),
}

impl<S: Stage> fmt::Debug for Ran<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ran::Finished(execution) => f.debug_tuple("Finished").field(execution).finish(),
            Ran::Paused(paused) => f.debug_tuple("Paused").field(paused).finish(),
        }
    }
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
    let begin = Paused::beginning(program.modules());
    unpaused(execute(program, stages, begin, inside::<S>(), options, None)?)
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
    mut links: Vec<L>,
    options: &EngineOptions,
) -> Result<Execution, EngineError<S::Error>> {
    let begin = Paused::beginning(program.modules());
    unpaused(execute(program, stages, begin, Some(&mut links), options, None)?)
}

/// Runs those workers of a program that this process executes ([`Elsewhere::own`]), a thread for each, while other processes
/// execute the others. There is one stage and one link for each of them, in order. Links that lead to other processes must
/// hold [`EngineOptions::capacity`] messages in each direction.
///
/// The trace has the actions of these workers; for the others [`Execution::begin`] is the end of their lists. The watchdog
/// counts what is heard of the others.
///
/// # Errors
///
/// As [`run`]; and [`EngineError::Peer`] where another process has failed first.
pub fn run_placed<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    program: &Program,
    stages: &mut Vec<S>,
    mut links: Vec<L>,
    elsewhere: &Elsewhere,
    options: &EngineOptions,
) -> Result<Execution, EngineError<S::Error>> {
    placed(program, stages, &mut links, elsewhere, options)
}

/// Runs a program as [`run`] does, until it ends or pauses.
///
/// A run that pauses is between two actions at every worker, and nothing is on its links. The stages are handed back as they
/// are there, so that they can be looked at and saved, and [`go_on`] goes on with the same results as if nothing had been.
/// Nothing waits for batches to end before a pause, and nothing is run in another order.
///
/// # Errors
///
/// As [`run`].
pub fn start<S: Stage>(
    program: &Program,
    stages: &mut Vec<S>,
    options: &EngineOptions,
    pause: &Pause,
) -> Result<Ran<S>, EngineError<S::Error>> {
    let begin = Paused::beginning(program.modules());
    execute(program, stages, begin, inside::<S>(), options, Some(pause))
}

/// Goes on with a run that has paused, until it ends or pauses again: with the program and the stages of before, or with
/// stages that are in the same state.
///
/// In the same process the trace goes on where it was, and time in which the run had paused does not count; the recording is
/// that of the beginning. A run that has paused in another process has a trace of what ran in this one, see
/// [`Execution::begin`]. The executor may be another one.
///
/// # Errors
///
/// As [`run`]; and [`EngineError::Paused`] where the run that has paused is not one of this program.
pub fn go_on<S: Stage>(
    program: &Program,
    stages: &mut Vec<S>,
    paused: Paused<S>,
    options: &EngineOptions,
    pause: &Pause,
) -> Result<Ran<S>, EngineError<S::Error>> {
    execute(program, stages, paused, inside::<S>(), options, Some(pause))
}

/// Runs a program as [`start`] does, a thread for every worker, over links of another kind, as [`run_over`] does. When the run
/// pauses, the links are handed back, with nothing on them; else they are gone.
///
/// # Errors
///
/// As [`run`].
pub fn start_over_links<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    program: &Program,
    stages: &mut Vec<S>,
    links: &mut Vec<L>,
    options: &EngineOptions,
    pause: &Pause,
) -> Result<Ran<S>, EngineError<S::Error>> {
    let begin = Paused::beginning(program.modules());
    execute(program, stages, begin, Some(links), options, Some(pause))
}

/// Goes on as [`go_on`] does, over the links that [`start_over_links`] has handed back, or other ones with nothing on them.
///
/// # Errors
///
/// As [`go_on`].
pub fn go_on_over_links<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    program: &Program,
    stages: &mut Vec<S>,
    links: &mut Vec<L>,
    paused: Paused<S>,
    options: &EngineOptions,
    pause: &Pause,
) -> Result<Ran<S>, EngineError<S::Error>> {
    execute(program, stages, paused, Some(links), options, Some(pause))
}
