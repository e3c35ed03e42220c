//! One thread that interprets all workers in turn.

use super::EngineOptions;
use super::error::{EngineError, StageFailure};
use super::stage::Stage;
use super::watch::Watch;
use super::worker::Worker;
use crate::schedule::{Action, Op, Program, Unit};
use crate::trace::{Recorder, Recording, Trace};
use crossbeam_channel::unbounded;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

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
    options: &EngineOptions,
) -> Result<Trace, EngineError<S::Error>> {
    let watch = Arc::new(Watch::new(program, stages.iter().map(Stage::doing).collect(), true));
    let start = Instant::now();
    let (hand_back, results) = unbounded();
    let own = std::mem::take(stages);
    let work = {
        let (watch, recording, capacity) = (Arc::clone(&watch), options.recording, options.capacity.get());
        move || {
            let done = drive(own, &watch, recording, capacity, start);
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
    *stages = own;
    watch.outcome()?;
    Ok(Trace::new(recorders, start.elapsed()))
}

fn drive<S: Stage>(
    stages: Vec<S>,
    watch: &Watch<S::Error>,
    recording: Recording,
    capacity: usize,
    start: Instant,
) -> (Vec<S>, Vec<Recorder>) {
    let modules = stages.len();
    let workers = stages.into_iter().enumerate();
    let mut workers: Vec<_> = workers
        .map(|(index, stage)| Worker::new(stage, index, modules))
        .collect();
    workers.iter_mut().for_each(Worker::enter);
    let recorders = interpret(&mut workers, watch, recording, capacity, start);
    // In reverse, so that what a worker found in the thread is what it leaves there.
    for (index, worker) in workers.iter_mut().enumerate().rev() {
        let last = watch.program.workers[index].len().checked_sub(1);
        if let Some(last) = last {
            watch.begin(index, last);
        }
        if let (Err(failure), Some(last)) = (worker.leave(), last) {
            watch.fail(index, last, failure);
        }
        watch.finish(index);
    }
    (workers.into_iter().map(Worker::into_stage).collect(), recorders)
}

/// Interprets the workers' actions until all have come to their ends, or one has failed.
fn interpret<S: Stage>(
    workers: &mut [Worker<S>],
    watch: &Watch<S::Error>,
    recording: Recording,
    capacity: usize,
    start: Instant,
) -> Vec<Recorder> {
    let modules = workers.len();
    let mut recorders = vec![Recorder::new(recording); modules];
    let mut queues: Queues<S> = Queues {
        up: (0..modules).map(|_| VecDeque::new()).collect(),
        down: (0..modules).map(|_| VecDeque::new()).collect(),
        capacity,
    };
    let mut next = vec![0; modules];
    loop {
        let mut progress = false;
        for index in 0..modules {
            while let Some(action) = watch.program.workers[index].get(next[index]) {
                if watch.cancelled() {
                    return recorders;
                }
                watch.begin(index, next[index]);
                let begin = start.elapsed();
                match execute(&mut workers[index], index, action, &mut queues) {
                    Ok(true) => recorders[index].record(*action, begin, start.elapsed()),
                    Ok(false) => break,
                    Err(failure) => {
                        watch.fail(index, next[index], failure);
                        return recorders;
                    }
                }
                next[index] += 1;
                progress = true;
            }
            if next[index] == watch.program.workers[index].len() {
                watch.finish(index);
            }
        }
        if !progress {
            // The analysis has proved that this is the end of the program and not a deadlock.
            return recorders;
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
