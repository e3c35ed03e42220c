//! A thread for every worker.

use super::EngineOptions;
use super::error::{EngineError, StageFailure};
use super::execute::{Clock, Ended, Work};
use super::link::{Broken, Link, Unsent};
use super::mail::Mail;
use super::stage::Stage;
use super::watch::{PATIENCE, Watch};
use super::worker::Worker;
use crate::schedule::{Action, Op};
use crate::trace::Recorder;
use crossbeam_channel::unbounded;
use std::sync::Arc;
use std::thread::Builder;

/// What a worker's thread hands back.
struct Done<S: Stage, L> {
    index: usize,
    stage: S,
    recorder: Recorder,
    /// If it has paused: what lies at it, and its link, on which nothing lies.
    paused: Option<(Mail<S>, L)>,
}

/// Runs every worker in a thread of its own, over one link for each. Each thread owns its stage and hands it back; one that
/// does not come back keeps it, and then `stages` stays empty. The links are handed back where the run has paused.
pub(super) fn run<S: Stage, L: Link<S::Up, S::Down> + 'static>(
    work: Work<S>,
    stages: &mut Vec<S>,
    links: &mut Vec<L>,
    options: &EngineOptions,
) -> Result<Ended<S>, EngineError<S::Error>> {
    let Work {
        program,
        positions,
        mail,
        recorders,
        clock,
        gate,
        elsewhere,
    } = work;
    let (workers, watch) = match &elsewhere {
        None => {
            let doing = stages.iter().map(Stage::doing).collect();
            let watch = Watch::new(&program, &positions, doing, false, gate);
            ((0..program.modules()).collect(), watch)
        }
        Some(elsewhere) => {
            let doing = elsewhere.doing(stages);
            (elsewhere.own().to_vec(), Watch::placed(&program, doing, elsewhere))
        }
    };
    let watch = Arc::new(watch);
    let (hand_back, results) = unbounded();
    let mut given = 0;
    let own = std::mem::take(stages).into_iter().zip(std::mem::take(links));
    let mut lying: Vec<_> = mail.into_iter().zip(recorders).map(Some).collect();
    for (index, (stage, link)) in workers.iter().copied().zip(own) {
        let Some((mail, recorder)) = lying[index].take() else {
            continue;
        };
        let (watch, hand_back, positions) = (Arc::clone(&watch), hand_back.clone(), positions.clone());
        let work = {
            let watch = Arc::clone(&watch);
            move || {
                let worker = Worker::new(stage, index, &watch.program, mail);
                let done = drive(worker, link, index, &watch, &positions, recorder, clock);
                // Nobody waits any more if the run was given up.
                let _ = hand_back.send(done);
            }
        };
        match options.crew.give(index, work) {
            Ok(()) => given += 1,
            Err(error) => watch.fail(index, 0, StageFailure::Panic(format!("cannot start a thread: {error}"))),
        }
    }
    drop(hand_back);
    let mut back = watch.gather(&results, given, options.watchdog);
    back.sort_by_key(|done| done.index);
    let is_back = |worker: &usize| back.iter().any(|done| done.index == *worker);
    for lost in workers.iter().filter(|worker| !is_back(worker)) {
        options.crew.lose(*lost);
    }
    if back.len() < workers.len() {
        drop_aside(back);
        watch.outcome()?;
        return Err(EngineError::Lost);
    }
    let mut recorders: Vec<_> = lying
        .into_iter()
        .map(|left| left.map(|(_, recorder)| recorder))
        .collect();
    let mut kept = Vec::with_capacity(workers.len());
    for done in back {
        stages.push(done.stage);
        recorders[done.index] = Some(done.recorder);
        kept.extend(done.paused);
    }
    let recorders = recorders.into_iter().flatten().collect();
    watch.outcome()?;
    let mut paused = None;
    if let Some(batch) = watch.gate.as_ref().and_then(|gate| gate.stop()) {
        if kept.len() < workers.len() {
            let all = "not all workers have paused";
            return Err(EngineError::Trace(format!("{all} after batch {batch}")));
        }
        let (mail, own) = kept.into_iter().unzip();
        *links = own;
        paused = Some((batch, mail));
    }
    Ok(Ended { recorders, paused })
}

/// Drops what is left of a run, in a thread of its own: whatever keeps one worker may keep who drops its neighbours too.
pub(super) fn drop_aside(rest: impl Send + 'static) {
    // Where no thread can be had, it is dropped here.
    let _ = Builder::new().name("the rest".to_owned()).spawn(move || drop(rest));
}

/// Interprets a worker's list from its position on, to the end or a pause, and gives back its stage.
fn drive<S: Stage, L: Link<S::Up, S::Down>>(
    mut worker: Worker<S>,
    mut link: L,
    index: usize,
    watch: &Watch<S::Error>,
    begin: &[usize],
    mut recorder: Recorder,
    clock: Clock,
) -> Done<S, L> {
    let actions = &watch.program.workers[index];
    let mut at = begin[index];
    let mut next = watch.first_cut();
    let mut pauses = false;
    worker.enter();
    loop {
        if watch.stops(&mut next, index, at) {
            pauses = true;
            break;
        }
        let Some(action) = actions.get(at).filter(|_| !watch.cancelled()) else {
            break;
        };
        watch.begin(index, at);
        let from = clock.now();
        match execute(&mut worker, &mut link, action, watch) {
            Ok(()) => recorder.record(*action, from, clock.now()),
            Err(Halt::Neighbour) => break,
            Err(Halt::Failure(failure)) => {
                watch.fail(index, at, failure);
                break;
            }
        }
        at += 1;
    }
    if let (Err(failure), false) = (worker.leave(), actions.is_empty()) {
        watch.fail(index, at.saturating_sub(1), failure);
    }
    if pauses {
        watch.pause(index);
        pauses = drain(&mut worker, &mut link, index, next, watch, begin).is_ok();
    } else if at == actions.len() {
        watch.finish(index);
    }
    // The link of a worker that has not paused is dropped here, which wakes the neighbours.
    let (stage, mail) = worker.into_parts();
    Done {
        index,
        stage,
        recorder,
        paused: pauses.then_some((mail, link)),
    }
}

/// Takes what the neighbours have sent, and are still to send, before the cut at which all pause. How many messages that are
/// is counted from the program, so nobody has to be told that a neighbour has come to the cut; and since they are taken, no
/// neighbour waits for room on a link. The two directions need not take turns: what is below a worker that has paused does not
/// wait for what is above it.
fn drain<S: Stage, L: Link<S::Up, S::Down>>(
    worker: &mut Worker<S>,
    link: &mut L,
    index: usize,
    batch: u32,
    watch: &Watch<S::Error>,
    begin: &[usize],
) -> Result<(), Halt<S::Error>> {
    let sent = |neighbour: Option<usize>, op: Op| {
        let cut = watch.gate.as_ref().and_then(|gate| gate.cut(batch));
        let sent = neighbour.zip(cut).and_then(|(neighbour, cut)| {
            let actions = watch.program.workers.get(neighbour)?;
            actions.get(begin[neighbour]..cut[neighbour])
        });
        sent.unwrap_or_default().iter().filter(|action| action.op == op).count()
    };
    for _ in worker.taken().up..sent(index.checked_sub(1), Op::SendY) {
        let (unit, activation) = receive(watch, || link.receive_up(PATIENCE))?;
        worker.put_up(unit, activation);
        watch.came();
    }
    for _ in worker.taken().down..sent(Some(index + 1), Op::SendD) {
        let (unit, gradient) = receive(watch, || link.receive_down(PATIENCE))?;
        worker.put_down(unit, gradient);
        watch.came();
    }
    Ok(())
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
        // What came while the worker paused is here already.
        Op::RecvY if worker.has_up(unit) => {}
        Op::RecvY => {
            let (unit, activation) = receive(watch, || link.receive_up(PATIENCE))?;
            worker.put_up(unit, activation);
        }
        Op::RecvD if worker.has_down(unit) => {}
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
