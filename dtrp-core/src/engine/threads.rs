//! A thread for every worker.

use super::EngineOptions;
use super::error::{EngineError, StageFailure};
use super::link::{Broken, Link};
use super::stage::Stage;
use super::worker::Worker;
use crate::analysis::around;
use crate::schedule::{Action, Op, Program};
use crate::trace::{Recorder, Trace};
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What all workers of a run share: where each of them is, whether to go on, and the first failure.
struct Shared<'a, E: std::error::Error + 'static> {
    program: &'a Program,
    /// Index of the action that each worker is at.
    at: Vec<AtomicUsize>,
    cancelled: AtomicBool,
    first: Mutex<Option<(usize, usize, StageFailure<E>)>>,
}

impl<E: std::error::Error + 'static> Shared<'_, E> {
    /// Keeps the failure if it is the first, and tells all others to stop.
    fn fail(&self, worker: usize, index: usize, failure: StageFailure<E>) {
        let mut first = self.first.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        first.get_or_insert((worker, index, failure));
        self.cancelled.store(true, Ordering::Release);
    }

    /// What each worker is doing, for the watchdog.
    fn waiting_table(&self) -> String {
        let mut table = String::new();
        for (k, actions) in (1..).zip(&self.program.workers) {
            let state = match actions.get(self.at[k - 1].load(Ordering::Acquire)) {
                None => "has finished".to_owned(),
                Some(a) => match (a.op.peer(k), a.op.is_receive()) {
                    (Some(peer), true) => format!("waits for {} from worker {peer}", a.short()),
                    (Some(peer), false) => format!("waits for worker {peer} to take {}", a.short()),
                    (None, _) => format!("is executing {a}"),
                },
            };
            let _ = write!(table, "\n  worker {k} {state}");
        }
        table
    }
}

/// Runs every worker in a thread of its own, over one link for each.
pub(super) fn run<S: Stage, L: Link<S::Up, S::Down>>(
    program: &Program,
    stages: &mut [S],
    links: Vec<L>,
    options: &EngineOptions,
) -> Result<Trace, EngineError<S::Error>> {
    let modules = program.modules();
    let shared = Shared {
        program,
        at: (0..modules).map(|_| AtomicUsize::new(0)).collect(),
        cancelled: AtomicBool::new(false),
        first: Mutex::new(None),
    };
    let start = Instant::now();
    let recorders = std::thread::scope(|scope| {
        let shared = &shared;
        let spawn = |(index, (stage, link))| {
            let builder = std::thread::Builder::new().name(format!("worker {}", index + 1));
            let worker = Worker::new(stage, index, modules);
            builder.spawn_scoped(scope, move || drive(worker, link, index, shared, options, start))
        };
        let threads: Vec<_> = stages.iter_mut().zip(links).enumerate().map(spawn).collect();
        let join = |(index, thread): (usize, std::io::Result<std::thread::ScopedJoinHandle<'_, Recorder>>)| match thread
        {
            Ok(thread) => thread.join().unwrap_or_default(),
            Err(error) => {
                shared.fail(index, 0, StageFailure::Panic(format!("cannot start a thread: {error}")));
                Recorder::default()
            }
        };
        threads.into_iter().enumerate().map(join).collect::<Vec<_>>()
    });
    let first = shared
        .first
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    match first {
        None => Ok(Trace::new(recorders, start.elapsed())),
        Some((index, at, failure)) => Err(failed(program, index, at, failure)),
    }
}

/// The error of a failure of worker `index` (from 0) at its action `at`.
pub(super) fn failed<E: std::error::Error + 'static>(
    program: &Program,
    index: usize,
    at: usize,
    failure: StageFailure<E>,
) -> EngineError<E> {
    EngineError::Worker {
        worker: index + 1,
        action: program.workers[index][at],
        failure: Box::new(failure),
        around: around(program, index + 1, at),
    }
}

fn drive<S: Stage, L: Link<S::Up, S::Down>>(
    mut worker: Worker<'_, S>,
    mut link: L,
    index: usize,
    shared: &Shared<'_, S::Error>,
    options: &EngineOptions,
    start: Instant,
) -> Recorder {
    let mut recorder = Recorder::new(options.recording);
    worker.enter();
    for (at, action) in shared.program.workers[index].iter().enumerate() {
        if shared.cancelled.load(Ordering::Acquire) {
            break;
        }
        shared.at[index].store(at, Ordering::Release);
        let begin = start.elapsed();
        match execute(&mut worker, &mut link, action, options.watchdog) {
            Ok(()) => recorder.record(*action, begin, start.elapsed()),
            Err(Stop::Neighbour) => break,
            Err(Stop::Failure(failure)) => {
                shared.fail(index, at, failure);
                break;
            }
            Err(Stop::Timeout) => {
                let seconds = options.watchdog.as_secs_f64();
                let table = shared.waiting_table();
                let message = format!("nothing happened for {seconds} s, so the run is given up{table}");
                shared.fail(index, at, StageFailure::Stalled(message));
                break;
            }
        }
    }
    let last = shared.program.workers[index].len().checked_sub(1);
    if let (Err(failure), Some(last)) = (worker.leave(), last) {
        shared.fail(index, last, failure);
    }
    if recorder.actions() == shared.program.workers[index].len() {
        shared.at[index].store(usize::MAX, Ordering::Release);
    }
    // The link is dropped here, which wakes the neighbours.
    recorder
}

/// Why a worker stops early.
enum Stop<E: std::error::Error + 'static> {
    /// A neighbour stopped first; its failure is the one that counts.
    Neighbour,
    /// Nothing came in time.
    Timeout,
    Failure(StageFailure<E>),
}

impl<E: std::error::Error + 'static> From<Broken> for Stop<E> {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Stopped => Stop::Neighbour,
            Broken::Timeout => Stop::Timeout,
        }
    }
}

impl<E: std::error::Error + 'static> From<StageFailure<E>> for Stop<E> {
    fn from(failure: StageFailure<E>) -> Self {
        Stop::Failure(failure)
    }
}

fn execute<S: Stage, L: Link<S::Up, S::Down>>(
    worker: &mut Worker<'_, S>,
    link: &mut L,
    action: &Action,
    patience: Duration,
) -> Result<(), Stop<S::Error>> {
    let unit = action.unit;
    match action.op {
        Op::SendY => link.send_up(unit, worker.take_up(unit)?, patience)?,
        Op::SendD => link.send_down(unit, worker.take_down(unit)?, patience)?,
        Op::RecvY => {
            let (unit, activation) = link.receive_up(patience)?;
            worker.put_up(unit, activation);
        }
        Op::RecvD => {
            let (unit, gradient) = link.receive_down(patience)?;
            worker.put_down(unit, gradient);
        }
        _ => worker.compute(action)?,
    }
    Ok(())
}
