//! Where a program can be interrupted so that nothing is lost: consistent cuts of it.
//!
//! A *cut* says how many of its actions each worker has done. It is consistent if whatever has been received in it has been
//! sent in it (Chandy and Lamport, 1985): then what lies at the workers and on the links between them is all there is to be
//! kept, and the rest of every list can be run later as if nothing had happened.

use crate::schedule::{Action, Op, Program, Unit};
use std::collections::HashMap;

/// The cut after each batch of a program: the least consistent one in which every worker has done all its backward passes and
/// updates of the batches up to it. Each contains those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cuts {
    /// Worker by worker, for each batch.
    positions: Vec<Vec<usize>>,
}

impl Cuts {
    /// Of all batches of a program that has been found right by [`analyse`](super::analyse). Takes time linear in its length.
    pub fn of(program: &Program) -> Self {
        let modules = program.modules();
        let mut frontier = Frontier::new(program);
        let mut own = Own::of(program);
        let mut positions = vec![Vec::with_capacity(program.batches as usize); modules];
        for batch in 1..=program.batches {
            for worker in 0..modules {
                frontier.advance(worker, own.after(worker, batch));
            }
            for (positions, at) in positions.iter_mut().zip(&frontier.at) {
                positions.push(*at);
            }
        }
        Self { positions }
    }

    /// How many actions of worker `worker` (from 0) belong to the cut after batch `batch`, from 1; `None` where the program has
    /// no such batch.
    pub fn position(&self, worker: usize, batch: u32) -> Option<usize> {
        let index = usize::try_from(batch).ok()?.checked_sub(1)?;
        self.positions[worker].get(index).copied()
    }

    /// For each worker, how many of its actions belong to the cut after batch `batch`; nothing has been done after batch 0.
    pub fn after(&self, batch: u32) -> Vec<usize> {
        let last = self.positions.first().map_or(0, Vec::len);
        let position = |worker| match batch {
            0 => 0,
            batch => self.position(worker, batch.min(last as u32)).unwrap_or(0),
        };
        (0..self.positions.len()).map(position).collect()
    }
}

/// How far the workers' own backward passes and updates reach, batch by batch.
struct Own<'a> {
    program: &'a Program,
    /// For each worker, the actions that end a batch, still to come: position past it, and its batch. Last first.
    ends: Vec<Vec<(usize, u32)>>,
    at: Vec<usize>,
}

impl<'a> Own<'a> {
    fn of(program: &'a Program) -> Self {
        let ends = |actions: &Vec<Action>| {
            let ends = actions.iter().enumerate().rev();
            let ends = ends.filter(|(_, action)| matches!(action.op, Op::Backward | Op::Update));
            let mut ends: Vec<_> = ends.map(|(at, action)| (at + 1, action.unit.batch)).collect();
            // Those of a batch may come after those of the next one.
            ends.sort_by_key(|(_, batch)| std::cmp::Reverse(*batch));
            ends
        };
        Self {
            program,
            ends: program.workers.iter().map(ends).collect(),
            at: vec![0; program.modules()],
        }
    }

    /// Past the last of them up to this batch. Called with ascending batches.
    fn after(&mut self, worker: usize, batch: u32) -> usize {
        debug_assert!(batch <= self.program.batches);
        let ends = &mut self.ends[worker];
        while let Some((position, _)) = ends.pop_if(|(_, own)| *own <= batch) {
            self.at[worker] = self.at[worker].max(position);
        }
        self.at[worker]
    }
}

/// A consistent cut that grows.
struct Frontier<'a> {
    program: &'a Program,
    /// Where each worker sends what, going up and going down: positions past the send.
    sent: Vec<[HashMap<Unit, usize>; 2]>,
    at: Vec<usize>,
}

impl<'a> Frontier<'a> {
    fn new(program: &'a Program) -> Self {
        let sent = |actions: &Vec<Action>| {
            let mut sent = [HashMap::new(), HashMap::new()];
            for (at, action) in actions.iter().enumerate() {
                match action.op {
                    Op::SendY => sent[0].insert(action.unit, at + 1),
                    Op::SendD => sent[1].insert(action.unit, at + 1),
                    _ => None,
                };
            }
            sent
        };
        Self {
            program,
            sent: program.workers.iter().map(sent).collect(),
            at: vec![0; program.modules()],
        }
    }

    /// Takes in the actions of a worker up to `to`, and whatever they need of others.
    fn advance(&mut self, worker: usize, to: usize) {
        let mut wanted = vec![(worker, to)];
        while let Some((worker, to)) = wanted.pop() {
            while self.at[worker] < to {
                let action = self.program.workers[worker][self.at[worker]];
                self.at[worker] += 1;
                let sender = match action.op {
                    Op::RecvY => worker.checked_sub(1).map(|below| (below, 0)),
                    Op::RecvD => Some((worker + 1, 1)),
                    _ => None,
                };
                let Some((sender, direction)) = sender else { continue };
                let sent = self.sent.get(sender).and_then(|sent| sent[direction].get(&action.unit));
                if let Some(sent) = sent.filter(|sent| **sent > self.at[sender]) {
                    wanted.push((sender, *sent));
                }
            }
        }
    }
}
