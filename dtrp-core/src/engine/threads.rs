//! A thread for every worker.

use super::EngineOptions;
use super::error::{EngineError, StageFailure};
use super::link::{Broken, Link, Unsent};
use super::stage::Stage;
use super::watch::{PATIENCE, Watch};
use super::worker::Worker;
use crate::schedule::{Action, Op, Program};
use crate::trace::{Recorder, Recording, Trace};
use crossbeam_channel::unbounded;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Instant;

/// Runs every worker in a thread of its own, over one link for each. Each thread owns its stage and hands it back; one that
/// does not come back keeps it, and then `stages` stays empty.
pub(super) fn run<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    program: &Program,
    stages: &mut Vec<S>,
    links: Vec<L>,
    options: &EngineOptions,
) -> Result<Trace, EngineError<S::Error>> {
    let modules = program.modules();
    let watch = Arc::new(Watch::new(program, stages.iter().map(Stage::doing).collect(), false));
    let start = Instant::now();
    let (hand_back, results) = unbounded();
    let mut given = 0;
    for (index, (stage, link)) in std::mem::take(stages).into_iter().zip(links).enumerate() {
        let (watch, hand_back, recording) = (Arc::clone(&watch), hand_back.clone(), options.recording);
        let work = {
            let watch = Arc::clone(&watch);
            move || {
                let done = drive(
                    Worker::new(stage, index, modules),
                    link,
                    index,
                    &watch,
                    recording,
                    start,
                );
                // Nobody waits any more if the run was given up.
                let _ = hand_back.send((index, done));
            }
        };
        match options.crew.give(index, work) {
            Ok(()) => given += 1,
            Err(error) => watch.fail(index, 0, StageFailure::Panic(format!("cannot start a thread: {error}"))),
        }
    }
    drop(hand_back);
    let mut back = watch.gather(&results, given, options.watchdog);
    back.sort_by_key(|(index, _)| *index);
    for lost in (0..modules).filter(|index| back.iter().all(|(own, _)| own != index)) {
        options.crew.lose(lost);
    }
    let whole = back.len() == modules;
    let (own, recorders): (Vec<_>, Vec<_>) = back.into_iter().map(|(_, done)| done).unzip();
    if whole {
        *stages = own;
    } else {
        drop_aside(own);
    }
    watch.outcome()?;
    if !whole {
        return Err(EngineError::Lost);
    }
    Ok(Trace::new(recorders, start.elapsed()))
}

/// Drops what is left of a run, in a thread of its own: whatever keeps one worker may keep who drops its neighbours too.
pub(super) fn drop_aside(rest: impl Send + 'static) {
    // Where no thread can be had, it is dropped here.
    let _ = Builder::new().name("the rest".to_owned()).spawn(move || drop(rest));
}

/// Interprets a worker's list, and gives back its stage.
fn drive<S: Stage, L: Link<S::Up, S::Down>>(
    mut worker: Worker<S>,
    mut link: L,
    index: usize,
    watch: &Watch<S::Error>,
    recording: Recording,
    start: Instant,
) -> (S, Recorder) {
    let mut recorder = Recorder::new(recording);
    let actions = &watch.program.workers[index];
    worker.enter();
    for (at, action) in actions.iter().enumerate() {
        if watch.cancelled() {
            break;
        }
        watch.begin(index, at);
        let begin = start.elapsed();
        match execute(&mut worker, &mut link, action, watch) {
            Ok(()) => recorder.record(*action, begin, start.elapsed()),
            Err(Halt::Neighbour) => break,
            Err(Halt::Failure(failure)) => {
                watch.fail(index, at, failure);
                break;
            }
        }
    }
    let last = actions.len().checked_sub(1);
    if let (Err(failure), Some(last)) = (worker.leave(), last) {
        watch.fail(index, last, failure);
    }
    if recorder.actions() == actions.len() {
        watch.finish(index);
    }
    // The link is dropped here, which wakes the neighbours.
    (worker.into_stage(), recorder)
}

/// Why a worker stops early.
enum Halt<E: std::error::Error + 'static> {
    /// A neighbour stopped first, or the run was given up; the failure that counts is told by another.
    Neighbour,
    Failure(StageFailure<E>),
}

impl<E: std::error::Error + 'static> From<StageFailure<E>> for Halt<E> {
    fn from(failure: StageFailure<E>) -> Self {
        Halt::Failure(failure)
    }
}

fn execute<S: Stage, L: Link<S::Up, S::Down>>(
    worker: &mut Worker<S>,
    link: &mut L,
    action: &Action,
    watch: &Watch<S::Error>,
) -> Result<(), Halt<S::Error>> {
    let unit = action.unit;
    match action.op {
        Op::SendY => send(worker.take_up(unit)?, watch, |message| {
            link.send_up(unit, message, PATIENCE)
        })?,
        Op::SendD => send(worker.take_down(unit)?, watch, |message| {
            link.send_down(unit, message, PATIENCE)
        })?,
        Op::RecvY => {
            let (unit, activation) = receive(watch, || link.receive_up(PATIENCE))?;
            worker.put_up(unit, activation);
        }
        Op::RecvD => {
            let (unit, gradient) = receive(watch, || link.receive_down(PATIENCE))?;
            worker.put_down(unit, gradient);
        }
        _ => worker.compute(action)?,
    }
    Ok(())
}

/// Sends, for as long as the run goes on.
fn send<T, E: std::error::Error + 'static>(
    mut message: T,
    watch: &Watch<E>,
    mut attempt: impl FnMut(T) -> Result<(), Unsent<T>>,
) -> Result<(), Halt<E>> {
    loop {
        message = match attempt(message) {
            Ok(()) => return Ok(()),
            Err(Unsent::Timeout(message)) if !watch.cancelled() => message,
            Err(_) => return Err(Halt::Neighbour),
        };
    }
}

/// Receives, for as long as the run goes on.
fn receive<T, E: std::error::Error + 'static>(
    watch: &Watch<E>,
    mut attempt: impl FnMut() -> Result<T, Broken>,
) -> Result<T, Halt<E>> {
    loop {
        match attempt() {
            Ok(message) => return Ok(message),
            Err(Broken::Timeout) if !watch.cancelled() => {}
            Err(_) => return Err(Halt::Neighbour),
        }
    }
}
