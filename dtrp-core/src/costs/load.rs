//! What a program has each worker do, whatever its module costs.

use super::memory::Memory;
use super::module::ModuleCosts;
use super::share::Share;
use crate::analysis::{CAPACITY, Fault, WorkerReport, analyse};
use crate::schedule::{Op, Program};

/// How often one worker does what, and how much it holds, counted from a program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Batches of the program.
    pub batches: u32,
    /// Micro-batches of a batch, 1 for none. All but updates is counted, and paid for, by micro-batch.
    pub micro_batches: u16,
    /// Forwards, with or without graph.
    pub forwards: usize,
    /// Of these, how many with weights predicted at least one update ahead.
    pub predictions: usize,
    /// Of these, how many with an auxiliary head.
    pub auxiliary: usize,
    /// Recomputations.
    pub recomputations: usize,
    /// Backwards.
    pub backwards: usize,
    /// Updates.
    pub updates: usize,
    /// Most inputs stored at once.
    pub stored_inputs: usize,
    /// Most graphs alive at once.
    pub live_graphs: usize,
    /// Most copies of the weights at once: versions in use, and predicted ones.
    pub weight_copies: usize,
}

impl Load {
    /// The loads of all workers, worker 1 first. A program of many batches (say 20 times the number of modules) shows the
    /// steady state; in a short one filling and draining weigh more.
    ///
    /// # Errors
    ///
    /// When the analysis finds a fault.
    pub fn of(program: &Program) -> Result<Vec<Self>, Fault> {
        let report = analyse(program, CAPACITY)?;
        let load = |(index, costs): (usize, &WorkerReport)| {
            let worker = index + 1;
            let count = |op| program.count(worker, op);
            let predictions = program.workers[index].iter().filter(|a| a.is_ahead()).count();
            Self {
                batches: program.batches,
                micro_batches: program.micro_batches,
                forwards: count(Op::Forward) + count(Op::ForwardGraph),
                predictions,
                auxiliary: if program.has_own_loss(worker) {
                    count(Op::ForwardGraph)
                } else {
                    0
                },
                recomputations: count(Op::Recompute),
                backwards: count(Op::Backward),
                updates: count(Op::Update),
                stored_inputs: costs.stored_inputs,
                live_graphs: costs.live_graphs,
                weight_copies: costs.weight_versions + usize::from(predictions > 0),
            }
        };
        Ok(report.workers.iter().enumerate().map(load).collect())
    }

    /// Nanoseconds of the whole program, times the number of micro-batches so that they stay whole.
    pub(crate) fn work(&self, costs: &ModuleCosts) -> u128 {
        let current = self.forwards.saturating_sub(self.predictions);
        let plain = self.backwards.saturating_sub(self.auxiliary);
        let parts = [
            (current, costs.action_ns(Op::Forward, false, false)),
            (self.predictions, costs.action_ns(Op::Forward, true, false)),
            (self.recomputations, costs.action_ns(Op::Recompute, false, false)),
            (plain, costs.action_ns(Op::Backward, false, false)),
            (self.auxiliary, costs.action_ns(Op::Backward, false, true)),
        ];
        let product = |(times, ns): (usize, u64)| times as u128 * u128::from(ns);
        let parts: u128 = parts.into_iter().map(product).sum();
        let update = product((self.updates, costs.action_ns(Op::Update, false, false)));
        parts + u128::from(self.micro_batches) * update
    }

    /// How long the worker computes for one batch, in nanoseconds, on average over the program.
    pub fn time_ns(&self, costs: &ModuleCosts) -> f64 {
        let units = f64::from(self.batches) * f64::from(self.micro_batches);
        self.work(costs) as f64 / units.max(1.0)
    }

    /// The most that the worker can hold, in bytes: stored inputs, live graphs and copies of the weights, each at its worst
    /// moment as if these were one, and what the optimizer keeps. [`Memory::of`] follows them together, so its peak is never
    /// above this.
    pub fn memory(&self, costs: &ModuleCosts) -> Memory {
        let most = |count: usize, bytes| {
            let share = Share::new(bytes, self.micro_batches);
            (count as u64).saturating_mul(share.of(1))
        };
        let inputs = most(self.stored_inputs, costs.input_bytes);
        let graphs = most(self.live_graphs, costs.activation_bytes);
        Memory::at(costs, inputs, graphs, self.weight_copies)
    }
}
