//! Every receive finds its message, and nobody waits for ever.

use super::fault::Fault;
use crate::schedule::{Action, Op, Program, Unit};
use std::collections::VecDeque;
use std::num::NonZeroUsize;

/// Runs the messages of a program dry: first in, first out links that hold `capacity` messages in each direction.
pub(super) fn check(program: &Program, capacity: NonZeroUsize) -> Result<(), Fault> {
    let modules = program.modules();
    // Index k: from worker k to k+1 (up), from worker k+1 to k (down).
    let mut up: Vec<VecDeque<Unit>> = vec![VecDeque::new(); modules + 1];
    let mut down = up.clone();
    let mut next = vec![0; modules];
    // Each worker goes on until it has to wait, and is looked at again when the neighbour it waits for has moved.
    let mut ready: Vec<usize> = (1..=modules).rev().collect();
    let mut waits = vec![false; modules];
    while let Some(worker) = ready.pop() {
        let actions = &program.workers[worker - 1];
        while let Some(action) = actions.get(next[worker - 1]) {
            let (queue, peer) = match action.op {
                Op::SendY => (&mut up[worker], worker + 1),
                Op::RecvY => (&mut up[worker - 1], worker - 1),
                Op::SendD => (&mut down[worker - 1], worker - 1),
                Op::RecvD => (&mut down[worker], worker + 1),
                _ => {
                    next[worker - 1] += 1;
                    continue;
                }
            };
            let moved = match queue.front() {
                _ if !action.op.is_receive() => queue.len() < capacity.get(),
                None => false,
                Some(unit) if *unit == action.unit => true,
                Some(unit) => {
                    let what = action.op.counterpart().map_or("", Op::token);
                    let message = format!("{action} would get the message {what}{unit}, which was sent before it");
                    return Err(Fault::at(program, worker, next[worker - 1], message));
                }
            };
            if !moved {
                waits[worker - 1] = true;
                break;
            }
            if action.op.is_receive() {
                queue.pop_front();
            } else {
                queue.push_back(action.unit);
            }
            next[worker - 1] += 1;
            if std::mem::take(&mut waits[peer - 1]) {
                ready.push(peer);
            }
        }
    }
    stuck(program, &next)?;
    left_over(program, &up, &down)
}

/// Names what cannot go on: a worker that waits for a message which no one will send, else two that wait for one another.
fn stuck(program: &Program, next: &[usize]) -> Result<(), Fault> {
    let waiting = |worker: usize| Some(*program.workers[worker - 1].get(next[worker - 1])?);
    let blocked = || (1..=program.modules()).filter_map(|k| Some((k, waiting(k)?)));
    let never_answered = |worker: usize, action: &Action| {
        let partner = action.op.peer(worker).zip(action.op.counterpart());
        partner.is_some_and(|(peer, answer)| {
            let mut rest = program.workers[peer - 1][next[peer - 1]..].iter();
            !rest.any(|a| a.op == answer && a.unit == action.unit)
        })
    };
    if let Some((worker, action)) = blocked().find(|(k, action)| never_answered(*k, action)) {
        let message = if action.op.is_receive() {
            format!("{action} waits for a message that is never sent")
        } else {
            format!("{action} is never received")
        };
        return Err(Fault::at(program, worker, next[worker - 1], message));
    }
    // Everyone who waits does so for a neighbour that waits too; in a row, two must then wait for one another.
    let peer = |k: usize| waiting(k).and_then(|action| action.op.peer(k));
    let pair = blocked().find(|(k, _)| peer(*k).and_then(peer) == Some(*k));
    let Some((worker, action)) = pair.or_else(|| blocked().next()) else {
        return Ok(());
    };
    let other = peer(worker).unwrap_or(worker);
    let at = waiting(other).map_or(String::new(), |action| action.to_string());
    let message = format!("the workers wait for one another (worker {worker} at {action}, worker {other} at {at})");
    Err(Fault::at(program, worker, next[worker - 1], message))
}

/// Nothing that was sent may be left lying in a link.
fn left_over(program: &Program, up: &[VecDeque<Unit>], down: &[VecDeque<Unit>]) -> Result<(), Fault> {
    for k in 1..program.modules() {
        for (queue, worker, op) in [(&up[k], k, Op::SendY), (&down[k], k + 1, Op::SendD)] {
            let Some(unit) = queue.front() else { continue };
            let actions = &program.workers[worker - 1];
            let sent = actions.iter().position(|a| a.op == op && a.unit == *unit);
            let message = format!("{}{unit} is never received", op.token());
            return Err(Fault::at(program, worker, sent.unwrap_or(actions.len()), message));
        }
    }
    Ok(())
}
