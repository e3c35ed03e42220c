//! One thread that interprets all workers in turn.

use super::EngineOptions;
use super::error::{EngineError, StageFailure};
use super::execute::{Clock, Ended, Work};
use super::mail::Mail;
use super::pause::Gate;
use super::stage::Stage;
use super::watch::Watch;
use super::worker::Worker;
use crate::schedule::{Action, Op, Unit};
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

impl<S: Stage> Queues<S> {
    /// Hands a worker what was sent to it; false if there was nothing.
    fn drain(&mut self, worker: &mut Worker<S>, index: usize) -> bool {
        let from_below = index.checked_sub(1).map(|below| std::mem::take(&mut self.up[below]));
        let from_above = std::mem::take(&mut self.down[index]);
        let mut any = false;
        for (unit, activation) in from_below.into_iter().flatten() {
            worker.put_up(unit, activation);
            any = true;
        }
        for (unit, gradient) in from_above {
            worker.put_down(unit, gradient);
            any = true;
        }
        any
    }
}

/// Runs all workers in one thread, which owns their stages and hands them back; if it does not come back, `stages` stays
/// empty.
pub(super) fn run<S: Stage>(
    work: Work<S>,
    stages: &mut Vec<S>,
    options: &EngineOptions,
) -> Result<Ended<S>, EngineError<S::Error>> {
    let Work {
        program,
        positions,
        mail,
        recorders,
        clock,
        gate,
        elsewhere: _,
    } = work;
    let doing = stages.iter().map(Stage::doing).collect();
    let watch = Arc::new(Watch::new(&program, &positions, doing, true, gate));
    let (hand_back, results) = unbounded();
    let own = std::mem::take(stages).into_iter().zip(mail).collect();
    let work = {
        let (watch, capacity) = (Arc::clone(&watch), options.capacity.get());
        let state = State {
            next: positions,
            recorders,
            clock,
            capacity,
        };
        move || {
            let done = drive(own, state, &watch);
            // Nobody waits any more if the run was given up.
            let _ = hand_back.send(done);
        }
    };
    if let Err(error) = options.crew.give(0, work) {
        watch.fail(0, 0, StageFailure::Panic(format!("cannot start a thread: {error}")));
    }
    let back = watch.gather(&results, 1, options.watchdog).pop();
    let Some((own, recorders)) = back else {
        options.crew.lose(0);
        return Err(watch.outcome().err().unwrap_or(EngineError::Lost));
    };
    let (own, mail): (Vec<_>, Vec<_>) = own.into_iter().unzip();
    *stages = own;
    watch.outcome()?;
    let paused = watch.gate.as_ref().and_then(Gate::stop).map(|batch| (batch, mail));
    Ok(Ended { recorders, paused })
}

/// Where the workers are, and what was noted.
struct State {
    /// The next action of each worker.
    next: Vec<usize>,
    recorders: Vec<Recorder>,
    clock: Clock,
    capacity: usize,
}

fn drive<S: Stage>(
    own: Vec<(S, Mail<S>)>,
    mut state: State,
    watch: &Watch<S::Error>,
) -> (Vec<(S, Mail<S>)>, Vec<Recorder>) {
    let workers = own.into_iter().enumerate();
    let mut workers: Vec<_> = workers
        .map(|(index, (stage, mail))| Worker::new(stage, index, &watch.program, mail))
        .collect();
    workers.iter_mut().for_each(Worker::enter);
    interpret(&mut workers, &mut state, watch);
    // In reverse, so that what a worker found in the thread is what it leaves there.
    for (index, worker) in workers.iter_mut().enumerate().rev() {
        let last = state.next[index].saturating_sub(1);
        let any = !watch.program.workers[index].is_empty();
        if any {
            watch.begin(index, last);
        }
        if let (Err(failure), true) = (worker.leave(), any) {
            watch.fail(index, last, failure);
        }
        watch.finish(index);
    }
    let own = workers.into_iter().map(Worker::into_parts).collect();
    (own, state.recorders)
}

/// Interprets the workers' actions until all have come to their ends or have paused, or one has failed.
fn interpret<S: Stage>(workers: &mut [Worker<S>], state: &mut State, watch: &Watch<S::Error>) {
    let modules = workers.len();
    let mut queues: Queues<S> = Queues {
        up: (0..modules).map(|_| VecDeque::new()).collect(),
        down: (0..modules).map(|_| VecDeque::new()).collect(),
        capacity: state.capacity,
    };
    let mut cuts = vec![watch.first_cut(); modules];
    let mut paused = vec![false; modules];
    loop {
        let mut progress = false;
        for index in 0..modules {
            let next = &mut state.next[index];
            while !paused[index] {
                if watch.stops(&mut cuts[index], index, *next) {
                    watch.pause(index);
                    paused[index] = true;
                    progress = true;
                    break;
                }
                let Some(action) = watch.program.workers[index].get(*next) else {
                    watch.finish(index);
                    break;
                };
                if watch.cancelled() {
                    return;
                }
                watch.begin(index, *next);
                let begin = state.clock.now();
                match execute(&mut workers[index], index, action, &mut queues) {
                    Ok(true) => state.recorders[index].record(*action, begin, state.clock.now()),
                    Ok(false) => break,
                    Err(failure) => {
                        watch.fail(index, *next, failure);
                        return;
                    }
                }
                *next += 1;
                progress = true;
            }
            if paused[index] {
                // So that neighbours who are still to come to the cut have room for what they send.
                progress |= queues.drain(&mut workers[index], index);
            }
        }
        if !progress {
            // The analysis has proved that this is the end of the program, or the cut, and not a deadlock.
            return;
        }
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
        // What came while the worker paused is here already.
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
