//! What a program has each worker do, whatever its module costs.

use crate::analysis::{CAPACITY, Fault, WorkerReport, analyse};
use crate::schedule::{Action, Op, Program};
use crate::simulate::ModuleCosts;

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
        let modules = program.modules();
        let load = |(index, costs): (usize, &WorkerReport)| {
            let worker = index + 1;
            let count = |op| program.count(worker, op);
            let ahead = |a: &&Action| a.horizon.is_some_and(|h| h > 0);
            let predictions = program.workers[index].iter().filter(ahead).count();
            // A module below the last that waits for no gradient has a loss of its own.
            let own_loss = worker < modules && count(Op::RecvD) == 0;
            Self {
                batches: program.batches,
                micro_batches: program.micro_batches,
                forwards: count(Op::Forward) + count(Op::ForwardGraph),
                predictions,
                auxiliary: if own_loss { count(Op::ForwardGraph) } else { 0 },
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
    pub(super) fn work(&self, costs: &ModuleCosts) -> u128 {
        let parts = [
            (self.forwards, costs.forward_ns),
            (self.predictions, costs.predict_ns),
            (self.auxiliary, costs.auxiliary_ns),
            (self.recomputations, costs.recompute_ns),
            (self.backwards, costs.backward_ns),
        ];
        let product = |(times, ns): (usize, u64)| times as u128 * u128::from(ns);
        let parts: u128 = parts.into_iter().map(product).sum();
        parts + u128::from(self.micro_batches) * product((self.updates, costs.update_ns))
    }

    /// How long the worker computes for one batch, in nanoseconds, on average over the program.
    pub fn time_ns(&self, costs: &ModuleCosts) -> f64 {
        let units = f64::from(self.batches) * f64::from(self.micro_batches);
        self.work(costs) as f64 / units.max(1.0)
    }

    /// The most that the worker can hold, in bytes: stored inputs, live graphs and copies of the weights, each at its worst
    /// moment, and what the optimizer keeps. The simulator follows them together, so its peak is never above this.
    pub fn memory(&self, costs: &ModuleCosts) -> u64 {
        let parts = u64::from(self.micro_batches).max(1);
        let part = |count: usize, bytes: u64| (count as u64).saturating_mul(bytes.div_ceil(parts));
        part(self.stored_inputs, costs.input_bytes)
            .saturating_add(part(self.live_graphs, costs.activation_bytes))
            .saturating_add((self.weight_copies as u64).saturating_mul(costs.parameter_bytes))
            .saturating_add(costs.optimizer_bytes)
    }
}
