//! What all ways to run a program have in common, whether it begins or goes on, and whatever it runs over.

use super::channels::Channels;
use super::elsewhere::Elsewhere;
use super::error::EngineError;
use super::link::Link;
use super::mail::Mail;
use super::pause::{Gate, Pause};
use super::paused::{Past, Paused};
use super::prepared::Prepared;
use super::stage::Stage;
use super::{EngineOptions, Execution, Executor, Ran, sequential, threads};
use crate::schedule::Program;
use crate::trace::{Recorder, Trace};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the workers of a run begin with.
pub(super) struct Work<S: Stage> {
    pub(super) program: Arc<Program>,
    pub(super) positions: Vec<usize>,
    pub(super) mail: Vec<Mail<S>>,
    pub(super) recorders: Vec<Recorder>,
    pub(super) clock: Clock,
    /// Where the run can pause, if it can.
    pub(super) gate: Option<Gate>,
    /// Which workers other processes execute, if any.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// What the workers of a run come back with.
pub(super) struct Ended<S: Stage> {
    pub(super) recorders: Vec<Recorder>,
    /// If they have paused: at the cut of which batch, and what lies at them.
    pub(super) paused: Option<(u32, Vec<Mail<S>>)>,
}

/// Time since the run began, pauses not counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
    before: Duration,
}

impl Clock {
    /// A clock that goes on from here.
    fn from(before: Duration) -> Self {
        let start = Instant::now();
        Self { start, before }
    }

    pub(super) fn now(self) -> Duration {
        self.before + self.start.elapsed()
    }
}

/// No links but those of the executor.
pub(super) fn inside<S: Stage>() -> Option<&'static mut Vec<Channels<S::Up, S::Down>>> {
    None
}

/// Runs a program from where it has paused, over these links or the executor's own, until it ends or pauses.
pub(super) fn execute<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    program: &Program,
    stages: &mut Vec<S>,
    paused: Paused<S>,
    links: Option<&mut Vec<L>>,
    options: &EngineOptions,
    pause: Option<&Pause>,
) -> Result<Ran<S>, EngineError<S::Error>> {
    let prepared = prepare(program, stages, &paused, options, pause.is_some())?;
    if let Some(links) = links.as_deref().filter(|links| links.len() != stages.len()) {
        return Err(EngineError::Links {
            links: links.len(),
            modules: stages.len(),
        });
    }
    let Paused {
        batch,
        positions,
        mail,
        past,
    } = paused;
    let clock = Clock::from(past.wall);
    let work = Work {
        program: Arc::clone(&prepared.program),
        positions,
        mail,
        recorders: match past.recorders {
            none if none.is_empty() => vec![Recorder::new(options.recording); stages.len()],
            some => some,
        },
        clock,
        gate: pause.map(|pause| Gate::new(pause.clone(), Arc::clone(&prepared.cuts), batch)),
        elsewhere: None,
    };
    let ended = match (links, options.executor) {
        (Some(links), _) => threads::run(work, stages, links, options),
        (None, Executor::Threads) => {
            let mut links = Channels::row(stages.len(), options.capacity);
            threads::run(work, stages, &mut links, options)
        }
        (None, Executor::Sequential) => sequential::run(work, stages, options),
    };
    let paused = ended.as_ref().ok().and_then(|ended| ended.paused.as_ref());
    match (pause, paused) {
        (Some(pause), Some((batch, _))) => pause.met(*batch),
        (Some(pause), None) => pause.ended(),
        (None, _) => {}
    }
    let Ended { recorders, paused } = ended?;
    let (after, begin, wall) = (past.after, past.begin, clock.now());
    if let Some((batch, mail)) = paused {
        return Ok(Ran::Paused(Paused {
            batch,
            positions: prepared.cuts.of(batch).unwrap_or_default().to_vec(),
            mail,
            past: Past {
                after,
                begin,
                recorders,
                wall,
                prepared: Some(prepared),
            },
        }));
    }
    let trace = Trace::new(recorders, wall);
    trace.check_against(program, &begin).map_err(EngineError::Trace)?;
    let report = Arc::try_unwrap(prepared).map_or_else(|shared| shared.report.clone(), |own| own.report);
    Ok(Ran::Finished(Execution {
        trace,
        report,
        after,
        begin,
    }))
}

/// Runs the workers of a program that this process executes.
pub(super) fn placed<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    program: &Program,
    stages: &mut Vec<S>,
    links: &mut Vec<L>,
    elsewhere: &Elsewhere,
    options: &EngineOptions,
) -> Result<Execution, EngineError<S::Error>> {
    let own = elsewhere.own();
    let (modules, given) = (own.len(), stages.len());
    if given != modules || own.last().is_some_and(|last| *last >= program.modules()) {
        return Err(EngineError::Stages { stages: given, modules });
    }
    if links.len() != modules {
        let links = links.len();
        return Err(EngineError::Links { links, modules });
    }
    let prepared = Prepared::new(program, options.capacity, false)?;
    let clock = Clock::from(Duration::ZERO);
    let work = Work {
        program: Arc::clone(&prepared.program),
        positions: vec![0; program.modules()],
        mail: (0..program.modules()).map(|_| Mail::default()).collect(),
        recorders: vec![Recorder::new(options.recording); program.modules()],
        clock,
        gate: None,
        elsewhere: Some(elsewhere.clone()),
    };
    let Ended { recorders, .. } = threads::run(work, stages, links, options)?;
    // Of the others this process knows nothing.
    let lists = program.workers.iter().map(Vec::len).enumerate();
    let begin: Vec<usize> = lists.map(|(k, all)| if own.contains(&k) { 0 } else { all }).collect();
    let trace = Trace::new(recorders, clock.now());
    trace.check_against(program, &begin).map_err(EngineError::Trace)?;
    Ok(Execution {
        trace,
        report: prepared.report,
        after: 0,
        begin,
    })
}

/// What a run that nobody can pause came to.
pub(super) fn unpaused<S: Stage>(ran: Ran<S>) -> Result<Execution, EngineError<S::Error>> {
    match ran {
        Ran::Finished(execution) => Ok(execution),
        Ran::Paused(paused) => Err(EngineError::Trace(format!("it paused after batch {}", paused.batch()))),
    }
}

/// What is checked before anything runs.
fn prepare<S: Stage>(
    program: &Program,
    stages: &[S],
    paused: &Paused<S>,
    options: &EngineOptions,
    pauses: bool,
) -> Result<Arc<Prepared>, EngineError<S::Error>> {
    if stages.len() != program.modules() {
        return Err(EngineError::Stages {
            stages: stages.len(),
            modules: program.modules(),
        });
    }
    paused.fits(program)?;
    match &paused.past.prepared {
        Some(prepared) if prepared.holds_for(options.capacity) => Ok(Arc::clone(prepared)),
        _ => Ok(Arc::new(Prepared::new(program, options.capacity, pauses)?)),
    }
}
