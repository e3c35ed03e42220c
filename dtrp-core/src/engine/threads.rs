//! A thread for every worker.

use super::error::{EngineError, StageFailure};
use super::link::{Broken, Link, Unsent};
use super::stage::Stage;
use super::watch::{PATIENCE, Watch};
use super::worker::Worker;
use super::{EngineOptions, Part, Rest, Turnstile};
use crate::schedule::{Action, Op, Program};
use crate::trace::Recorder;
use crossbeam_channel::unbounded;
use std::sync::Arc;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Runs every worker in a thread of its own, over one link for each. Each thread owns its stage and hands it back; one that
/// does not come back keeps it, and then `stages` stays empty.
pub(super) fn run<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    program: &Program,
    stages: &mut Vec<S>,
    links: Vec<L>,
    part: Part<S>,
    options: &EngineOptions,
) -> Result<Rest<S>, EngineError<S::Error>> {
    let modules = program.modules();
    let watch = Arc::new(Watch::new(program, stages.iter().map(Stage::doing).collect(), false));
    let start = Start::after(part.elapsed);
    let (hand_back, results) = unbounded();
    let mut given = 0;
    let gate = part.gate;
    let own = std::mem::take(stages).into_iter().zip(part.mail);
    let place = part.positions.into_iter().zip(part.recorders);
    for (index, (((stage, mail), (position, recorder)), link)) in own.zip(place).zip(links).enumerate() {
        let (watch, hand_back, gate) = (Arc::clone(&watch), hand_back.clone(), gate.clone());
        let work = {
            let watch = Arc::clone(&watch);
            move || {
                let seat = Seat {
                    index,
                    turnstile: Turnstile::new(gate, index),
                    start,
                };
                let worker = Worker::new(stage, index, modules, mail);
                let done = drive(worker, link, seat, &watch, position, recorder);
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
    let mut rest = Rest {
        recorders: Vec::with_capacity(modules),
        elapsed: start.elapsed(),
        paused: None,
    };
    let (mut own, mut mail, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for (_, done) in back {
        let (stage, letters) = done.worker.into_parts();
        own.push(stage);
        mail.push(letters);
        positions.push(done.position);
        rest.recorders.push(done.recorder);
    }
    if whole {
        *stages = own;
    } else {
        drop_aside(own);
    }
    watch.outcome()?;
    if !whole {
        return Err(EngineError::Lost);
    }
    if positions.iter().zip(&program.workers).any(|(at, actions)| *at < actions.len()) {
        let batch = gate.and_then(|gate| gate.pause.stopped_after()).unwrap_or(0);
        rest.paused = Some((batch, positions, mail));
    }
    Ok(rest)
}

/// The clock of a program: time goes on from where it was paused.
#[derive(Clone, Copy)]
pub(super) struct Start {
    now: Instant,
    before: Duration,
}

impl Start {
    /// So much of it has passed.
    pub(super) fn after(before: Duration) -> Self {
        Self {
            now: Instant::now(),
            before,
        }
    }

    /// Since the program began, without its pauses.
    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.now.elapsed()
    }
}

/// Drops what is left of a run, in a thread of its own: whatever keeps one worker may keep who drops its neighbours too.
pub(super) fn drop_aside(rest: impl Send + 'static) {
    // Where no thread can be had, it is dropped here.
    let _ = Builder::new().name("the rest".to_owned()).spawn(move || drop(rest));
}

/// Which worker it is, and what it looks at between its actions.
struct Seat {
    index: usize,
    turnstile: Turnstile,
    start: Start,
}

/// What a worker hands back.
struct Done<S: Stage> {
    worker: Worker<S>,
    position: usize,
    recorder: Recorder,
}

/// Interprets a worker's list from `position` on.
fn drive<S: Stage, L: Link<S::Up, S::Down>>(
    mut worker: Worker<S>,
    mut link: L,
    mut seat: Seat,
    watch: &Watch<S::Error>,
    mut position: usize,
    mut recorder: Recorder,
) -> Done<S> {
    let index = seat.index;
    let actions = &watch.program.workers[index];
    worker.enter();
    let mut halted = false;
    while let Some(action) = actions.get(position) {
        if watch.cancelled() || seat.turnstile.stops(position) {
            break;
        }
        watch.begin(index, position);
        let begin = seat.start.elapsed();
        match execute(&mut worker, &mut link, action, watch) {
            Ok(()) => recorder.record(*action, begin, seat.start.elapsed()),
            Err(halt) => {
                if let Halt::Failure(failure) = halt {
                    watch.fail(index, position, failure);
                }
                halted = true;
                break;
            }
        }
        position += 1;
    }
    let paused = position < actions.len() && !halted && !watch.cancelled();
    if paused {
        // It is not to blame for what happens now.
        watch.finish(index);
    }
    if paused && let Err(Halt::Failure(failure)) = collect(&mut worker, &mut link, seat, watch) {
        watch.fail(index, position, failure);
    }
    let last = actions.len().checked_sub(1);
    if let (Err(failure), Some(last)) = (worker.leave(), last) {
        watch.fail(index, last, failure);
    }
    if position == actions.len() {
        watch.finish(index);
    }
    // The link is dropped here, which wakes the neighbours.
    Done {
        worker,
        position,
        recorder,
    }
}

/// Takes what the neighbours of a worker that has paused still send it before they pause too, so that they need not wait and
/// nothing stays on the links.
fn collect<S: Stage, L: Link<S::Up, S::Down>>(
    worker: &mut Worker<S>,
    link: &mut L,
    seat: Seat,
    watch: &Watch<S::Error>,
) -> Result<(), Halt<S::Error>> {
    let Some((gate, batch)) = seat.turnstile.gate.as_ref().map(|gate| (gate, seat.turnstile.next)) else {
        return Ok(());
    };
    let (mut up, mut down) = underway(&watch.program, &gate.cuts.after(batch), seat.index);
    // Neither direction may wait for the other.
    const SHORT: Duration = Duration::from_millis(1);
    while up + down > 0 {
        if watch.cancelled() {
            return Err(Halt::Neighbour);
        }
        if up > 0 {
            match link.receive_up(if down > 0 { SHORT } else { PATIENCE }) {
                Ok((unit, activation)) => {
                    worker.put_up(unit, activation);
                    up -= 1;
                }
                Err(Broken::Timeout) => {}
                Err(Broken::Stopped) => return Err(Halt::Neighbour),
            }
        }
        if down > 0 {
            match link.receive_down(if up > 0 { SHORT } else { PATIENCE }) {
                Ok((unit, gradient)) => {
                    worker.put_down(unit, gradient);
                    down -= 1;
                }
                Err(Broken::Timeout) => {}
                Err(Broken::Stopped) => return Err(Halt::Neighbour),
            }
        }
    }
    Ok(())
}

/// How many messages a worker has been sent at a cut and has not received, from below and from above.
fn underway(program: &Program, positions: &[usize], worker: usize) -> (usize, usize) {
    let count = |worker: usize, op: Op| {
        let Some(actions) = program.workers.get(worker) else { return 0 };
        actions[..positions[worker]].iter().filter(|action| action.op == op).count()
    };
    let below = worker.checked_sub(1).map_or(0, |below| count(below, Op::SendY));
    let above = count(worker + 1, Op::SendD);
    (below - count(worker, Op::RecvY), above - count(worker, Op::RecvD))
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
        // What was underway at a pause has arrived.
        Op::RecvY if worker.has_up(unit) => {}
        Op::RecvD if worker.has_down(unit) => {}
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
