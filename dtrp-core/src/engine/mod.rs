//! Makes it happen: workers interpret a program over a [`Stage`] each, connected by links.
//!
//! [`run`] analyses the program first, runs it with the chosen [`Executor`], and checks at the end that what ran equals
//! the program. The first error wins: everyone stops, nobody hangs. Knows nothing of tensors.

mod channels;
mod crew;
mod doing;
mod error;
mod link;
mod pause;
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
pub use pause::{Mail, Pause, Paused};
pub use stage::Stage;

use crate::analysis::{self, Cuts, ProgramReport};
use crate::schedule::Program;
use crate::trace::{Recorder, Recording, Trace};
use dtrp_text::words;
use std::num::NonZeroUsize;
use std::sync::Arc;
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
    /// What ran, action by action: all of the program, or the rest of one that had been paused in another process.
    pub trace: Trace,
    /// The analysis of the program.
    pub report: ProgramReport,
}

/// What became of a program that may be paused.
#[derive(Debug)]
pub enum Ran<S: Stage> {
    /// It has run to its end.
    Finished(Execution),
    /// It has been paused: [`go_on`] runs the rest.
    Paused(Paused<S>),
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
    unpaused(part(program, stages, Part::whole(program, options, None), options)?)
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
    let part = Part::whole(program, options, None);
    let from = part.positions.clone();
    let rest = threads::run(program, stages, links, part, options)?;
    unpaused(ended(program, rest, &from, report)?)
}

/// Runs a program as [`run`] does, unless it is asked to pause: then every worker stops at one consistent cut of the program
/// ([`Cuts`](analysis::Cuts)), and the stages can be looked at, saved, and gone on with. Pausing changes no result.
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
    part(program, stages, Part::whole(program, options, Some(pause)), options)
}

/// Runs the rest of a program that was paused, in this process or in another, until its end or the next pause.
///
/// # Errors
///
/// As [`run`].
pub fn go_on<S: Stage>(
    program: &Program,
    stages: &mut Vec<S>,
    paused: Paused<S>,
    options: &EngineOptions,
    pause: &Pause,
) -> Result<Ran<S>, EngineError<S::Error>> {
    part(program, stages, Part::rest(program, paused, options, pause), options)
}

/// A part of a program, from where it begins.
struct Part<S: Stage> {
    /// For each worker, the number of its actions that have been done.
    positions: Vec<usize>,
    mail: Vec<Mail<S>>,
    recorders: Vec<Recorder>,
    /// How long the parts before it took.
    elapsed: Duration,
    gate: Option<Gate>,
}

/// Where workers may be asked to stop.
#[derive(Clone)]
struct Gate {
    pause: Pause,
    cuts: Arc<Cuts>,
    /// The batch of the cut that the part begins at.
    from: u32,
}

/// What came of a part.
struct Rest<S: Stage> {
    recorders: Vec<Recorder>,
    elapsed: Duration,
    /// If it was paused: the batch, and what lies at the workers.
    paused: Option<(u32, Vec<usize>, Vec<Mail<S>>)>,
}

impl<S: Stage> Part<S> {
    /// All of it.
    fn whole(program: &Program, options: &EngineOptions, pause: Option<&Pause>) -> Self {
        let modules = program.modules();
        Self {
            positions: vec![0; modules],
            mail: (0..modules).map(|_| Mail::default()).collect(),
            recorders: vec![Recorder::new(options.recording); modules],
            elapsed: Duration::ZERO,
            gate: pause.map(|pause| Gate::new(program, pause, 0)),
        }
    }

    /// What is left.
    fn rest(program: &Program, paused: Paused<S>, options: &EngineOptions, pause: &Pause) -> Self {
        let mut recorders = paused.recorders;
        recorders.resize(program.modules(), Recorder::new(options.recording));
        Self {
            positions: paused.positions,
            mail: paused.mail,
            recorders,
            elapsed: paused.elapsed,
            gate: Some(Gate::new(program, pause, paused.batch)),
        }
    }
}

impl Gate {
    fn new(program: &Program, pause: &Pause, from: u32) -> Self {
        pause.begin(from);
        Self {
            pause: pause.clone(),
            cuts: Arc::new(Cuts::of(program)),
            from,
        }
    }
}

/// The cuts that one worker comes to.
struct Turnstile {
    gate: Option<Gate>,
    worker: usize,
    /// The batch of the next.
    next: u32,
}

impl Turnstile {
    fn new(gate: Option<Gate>, worker: usize) -> Self {
        let next = gate.as_ref().map_or(0, |gate| gate.from + 1);
        Self { gate, worker, next }
    }

    /// Whether the worker, which has done so many of its actions, stops here.
    fn stops(&mut self, done: usize) -> bool {
        let Some(gate) = &self.gate else { return false };
        while gate.cuts.position(self.worker, self.next).is_some_and(|position| position <= done) {
            if gate.pause.comes_to(self.next) {
                return true;
            }
            self.next += 1;
        }
        false
    }
}

/// Runs a part of a program.
fn part<S: Stage>(
    program: &Program,
    stages: &mut Vec<S>,
    part: Part<S>,
    options: &EngineOptions,
) -> Result<Ran<S>, EngineError<S::Error>> {
    let report = analysed(program, stages, options)?;
    let from: Vec<usize> = part.positions.iter().zip(&part.recorders).map(|(at, ran)| at - ran.actions()).collect();
    let rest = match options.executor {
        Executor::Threads => {
            let links = Channels::row(stages.len(), options.capacity);
            threads::run(program, stages, links, part, options)?
        }
        Executor::Sequential => sequential::run(program, stages, part, options)?,
    };
    ended(program, rest, &from, report)
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

/// What a part of a program, whose trace begins at these actions, has come to.
fn ended<S: Stage>(
    program: &Program,
    rest: Rest<S>,
    from: &[usize],
    report: ProgramReport,
) -> Result<Ran<S>, EngineError<S::Error>> {
    let Rest {
        recorders,
        elapsed,
        paused,
    } = rest;
    if let Some((batch, positions, mut mail)) = paused {
        for (worker, mail) in mail.iter_mut().enumerate() {
            // What a stage gives and nobody sends is of no use to anybody.
            let [_, _, up, down] = pause::expected(program, &positions, worker);
            mail.ready_up.retain(|(unit, _)| up.contains(unit));
            mail.ready_down.retain(|(unit, _)| down.contains(unit));
        }
        return Ok(Ran::Paused(Paused {
            batch,
            positions,
            mail,
            recorders,
            elapsed,
        }));
    }
    let trace = Trace::new(recorders, elapsed);
    trace.check_against(program, from).map_err(EngineError::Trace)?;
    Ok(Ran::Finished(Execution { trace, report }))
}

/// Of a program that nobody asks to pause.
fn unpaused<S: Stage>(ran: Ran<S>) -> Result<Execution, EngineError<S::Error>> {
    match ran {
        Ran::Finished(execution) => Ok(execution),
        Ran::Paused(_) => Err(EngineError::Trace("a program was paused that nobody asked to".to_owned())),
    }
}
