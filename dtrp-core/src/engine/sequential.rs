//! One thread that interprets all workers in turn.

use super::EngineOptions;
use super::error::{EngineError, StageFailure};
use super::stage::Stage;
use super::threads::failed;
use super::worker::Worker;
use crate::schedule::{Action, Op, Program, Unit};
use crate::trace::{Recorder, Trace};
use std::collections::VecDeque;
use std::time::Instant;

/// The links of one run: index k−1 is the link between workers k and k+1.
struct Queues<S: Stage> {
    up: Vec<VecDeque<(Unit, S::Up)>>,
    down: Vec<VecDeque<(Unit, S::Down)>>,
    capacity: usize,
}

pub(super) fn run<S: Stage>(
    program: &Program,
    stages: &mut [S],
    options: &EngineOptions,
) -> Result<Trace, EngineError<S::Error>> {
    let modules = program.modules();
    let start = Instant::now();
    let mut workers: Vec<_> = stages
        .iter_mut()
        .enumerate()
        .map(|(index, stage)| Worker::new(stage, index, modules))
        .collect();
    workers.iter_mut().for_each(Worker::enter);
    let result = interpret(program, &mut workers, options, start);
    let mut left = Ok(());
    // In reverse, so that what a worker found in the thread is what it leaves there.
    for (index, worker) in workers.iter_mut().enumerate().rev() {
        let last = program.workers[index].len().checked_sub(1);
        if let (Err(failure), Some(last)) = (worker.leave(), last) {
            left = Err(failed(program, index, last, failure));
        }
    }
    let trace = result?;
    left.map(|()| trace)
}

/// Interprets the workers' actions until all have come to their ends.
fn interpret<S: Stage>(
    program: &Program,
    workers: &mut [Worker<'_, S>],
    options: &EngineOptions,
    start: Instant,
) -> Result<Trace, EngineError<S::Error>> {
    let modules = program.modules();
    let mut recorders = vec![Recorder::new(options.recording); modules];
    let mut queues: Queues<S> = Queues {
        up: (0..modules).map(|_| VecDeque::new()).collect(),
        down: (0..modules).map(|_| VecDeque::new()).collect(),
        capacity: options.capacity.get(),
    };
    let mut next = vec![0; modules];
    loop {
        let mut progress = false;
        for index in 0..modules {
            while let Some(action) = program.workers[index].get(next[index]) {
                let begin = start.elapsed();
                match execute(&mut workers[index], index, action, &mut queues) {
                    Ok(true) => recorders[index].record(*action, begin, start.elapsed()),
                    Ok(false) => break,
                    Err(failure) => return Err(failed(program, index, next[index], failure)),
                }
                next[index] += 1;
                progress = true;
            }
        }
        if !progress {
            // The analysis has proved that this is the end of the program and not a deadlock.
            return Ok(Trace::new(recorders, start.elapsed()));
        }
    }
}

/// Executes the next action of a worker; false if it has to wait for another.
fn execute<S: Stage>(
    worker: &mut Worker<'_, S>,
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
