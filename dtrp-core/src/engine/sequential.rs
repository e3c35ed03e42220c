//! One thread that interprets all workers in turn.

use super::error::{EngineError, StageFailure};
use super::stage::Stage;
use super::threads::Start;
use super::watch::Watch;
use super::worker::Worker;
use super::{EngineOptions, Gate, Part, Rest, Turnstile};
use crate::schedule::{Action, Op, Program, Unit};
use crate::trace::Recorder;
use crossbeam_channel::unbounded;
use std::collections::VecDeque;
use std::sync::Arc;

/// The links of one run: index k−1 is the link between workers k and k+1.
struct Queues<S: Stage> {
    up: Vec<VecDeque<(Unit, S::Up)>>,
    down: Vec<VecDeque<(Unit, S::Down)>>,
    capacity: usize,
}

/// Runs all workers in one thread, which owns their stages and hands them back; if it does not come back, `stages` stays
/// empty.
pub(super) fn run<S: Stage>(
    program: &Program,
    stages: &mut Vec<S>,
    part: Part<S>,
    options: &EngineOptions,
) -> Result<Rest<S>, EngineError<S::Error>> {
    let watch = Arc::new(Watch::new(program, stages.iter().map(Stage::doing).collect(), true));
    let start = Start::after(part.elapsed);
    let (hand_back, results) = unbounded();
    let own = std::mem::take(stages);
    let gate = part.gate.clone();
    let work = {
        let (watch, capacity) = (Arc::clone(&watch), options.capacity.get());
        move || {
            let done = drive(own, part, &watch, capacity, start);
            // Nobody waits any more if the run was given up.
            let _ = hand_back.send(done);
        }
    };
    if let Err(error) = options.crew.give(0, work) {
        watch.fail(0, 0, StageFailure::Panic(format!("cannot start a thread: {error}")));
    }
    let back = watch.gather(&results, 1, options.watchdog).pop();
    let Some(done) = back else {
        options.crew.lose(0);
        return Err(watch.outcome().err().unwrap_or(EngineError::Lost));
    };
    let (own, mail): (Vec<_>, Vec<_>) = done.workers.into_iter().map(Worker::into_parts).unzip();
    *stages = own;
    watch.outcome()?;
    let ends = done.next.iter().zip(&program.workers);
    let paused = ends.into_iter().any(|(at, actions)| *at < actions.len());
    let batch = gate.and_then(|gate| gate.pause.stopped_after()).unwrap_or(0);
    Ok(Rest {
        recorders: done.recorders,
        elapsed: start.elapsed(),
        paused: paused.then_some((batch, done.next, mail)),
    })
}

/// Where the workers stand.
struct Done<S: Stage> {
    workers: Vec<Worker<S>>,
    recorders: Vec<Recorder>,
    /// The action that each comes to.
    next: Vec<usize>,
}

fn drive<S: Stage>(
    stages: Vec<S>,
    part: Part<S>,
    watch: &Watch<S::Error>,
    capacity: usize,
    start: Start,
) -> Done<S> {
    let modules = stages.len();
    let workers = stages.into_iter().zip(part.mail).enumerate();
    let workers = workers.map(|(index, (stage, mail))| Worker::new(stage, index, modules, mail));
    let mut done = Done {
        workers: workers.collect(),
        recorders: part.recorders,
        next: part.positions,
    };
    done.workers.iter_mut().for_each(Worker::enter);
    interpret(&mut done, part.gate.as_ref(), watch, capacity, start);
    // In reverse, so that what a worker found in the thread is what it leaves there.
    for (index, worker) in done.workers.iter_mut().enumerate().rev() {
        let last = watch.program.workers[index].len().checked_sub(1);
        if let Some(last) = last {
            watch.begin(index, last);
        }
        if let (Err(failure), Some(last)) = (worker.leave(), last) {
            watch.fail(index, last, failure);
        }
        watch.finish(index);
    }
    done
}

/// Interprets the workers' actions until all have come to their ends, or to a pause, or one has failed.
fn interpret<S: Stage>(
    done: &mut Done<S>,
    gate: Option<&Gate>,
    watch: &Watch<S::Error>,
    capacity: usize,
    start: Start,
) {
    let Done {
        workers,
        recorders,
        next,
    } = done;
    let modules = workers.len();
    let mut queues: Queues<S> = Queues {
        up: (0..modules).map(|_| VecDeque::new()).collect(),
        down: (0..modules).map(|_| VecDeque::new()).collect(),
        capacity,
    };
    let mut turnstiles: Vec<_> = (0..modules).map(|worker| Turnstile::new(gate.cloned(), worker)).collect();
    loop {
        let mut progress = false;
        for index in 0..modules {
            let mut stopped = false;
            while let Some(action) = watch.program.workers[index].get(next[index]) {
                if watch.cancelled() {
                    return;
                }
                stopped = turnstiles[index].stops(next[index]);
                if stopped {
                    break;
                }
                watch.begin(index, next[index]);
                let begin = start.elapsed();
                match execute(&mut workers[index], index, action, &mut queues) {
                    Ok(true) => recorders[index].record(*action, begin, start.elapsed()),
                    Ok(false) => break,
                    Err(failure) => {
                        watch.fail(index, next[index], failure);
                        return;
                    }
                }
                next[index] += 1;
                progress = true;
            }
            if stopped {
                // What its neighbours send it must not wait for it.
                progress |= queues.deliver(&mut workers[index], index);
            }
            if next[index] == watch.program.workers[index].len() {
                watch.finish(index);
            }
        }
        if !progress {
            // The analysis has proved that this is the end of the program, or its pause, and not a deadlock.
            return;
        }
    }
}

impl<S: Stage> Queues<S> {
    /// Gives a worker all that it has been sent; whether that was anything.
    fn deliver(&mut self, worker: &mut Worker<S>, index: usize) -> bool {
        let mut any = false;
        if let Some(below) = index.checked_sub(1) {
            for (unit, activation) in self.up[below].drain(..) {
                worker.put_up(unit, activation);
                any = true;
            }
        }
        for (unit, gradient) in self.down[index].drain(..) {
            worker.put_down(unit, gradient);
            any = true;
        }
        any
    }
}

/// Executes the next action of a worker; false if it has to wait for another.
fn execute<S: Stage>(
    worker: &mut Worker<S>,
    index: usize,
    action: &Action,
    queues: &mut Queues<S>,
) -> Result<bool, StageFailure<S::Error>> {
    let unit = action.unit;
    match action.op {
        Op::SendY if queues.up[index].len() >= queues.capacity => return Ok(false),
        Op::SendY => queues.up[index].push_back((unit, worker.take_up(unit)?)),
        Op::SendD if queues.down[index - 1].len() >= queues.capacity => return Ok(false),
        Op::SendD => queues.down[index - 1].push_back((unit, worker.take_down(unit)?)),
        // What was underway at a pause has arrived.
        Op::RecvY if worker.has_up(unit) => {}
        Op::RecvD if worker.has_down(unit) => {}
        Op::RecvY => match queues.up[index - 1].pop_front() {
            Some((unit, activation)) => worker.put_up(unit, activation),
            None => return Ok(false),
        },
        Op::RecvD => match queues.down[index].pop_front() {
            Some((unit, gradient)) => worker.put_down(unit, gradient),
            None => return Ok(false),
        },
        _ => worker.compute(action)?,
    }
    Ok(true)
}
