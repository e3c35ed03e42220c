//! The costs of a module: sums over its blocks.

use super::block::{BlockCost, Costs};
use crate::schedule::Op;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The costs of one module, in the units of [`BlockCost`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleCosts {
    /// Time of a forward, in nanoseconds.
    pub forward_ns: u64,
    /// Time of a backward, in nanoseconds.
    pub backward_ns: u64,
    /// Time of a recomputation, in nanoseconds.
    pub recompute_ns: u64,
    /// Time of an update, in nanoseconds.
    pub update_ns: u64,
    /// Time of a prediction, in nanoseconds.
    pub predict_ns: u64,
    /// Time of the auxiliary head, in nanoseconds.
    pub auxiliary_ns: u64,
    /// Size of the input, in bytes. The gradient that goes down to the module below is as large.
    pub input_bytes: u64,
    /// Size of the autograd graph, in bytes.
    pub activation_bytes: u64,
    /// Size of the parameters, in bytes.
    pub parameter_bytes: u64,
    /// Size of the optimizer's state, in bytes.
    pub optimizer_bytes: u64,
}

impl ModuleCosts {
    /// A module with only a forward and a backward time, in nanoseconds; a recomputation costs a forward.
    pub fn times(forward_ns: u64, backward_ns: u64) -> Self {
        Self {
            forward_ns,
            backward_ns,
            recompute_ns: forward_ns,
            ..Self::default()
        }
    }

    /// A module of these blocks.
    pub fn of(blocks: &[BlockCost]) -> Self {
        let add = |sum: Self, block| sum.merge(&Self::from(block), u64::saturating_add);
        blocks.iter().fold(Self::default(), add).with_ends(blocks)
    }

    /// How long an action takes for a whole batch, in nanoseconds: a forward that predicts its weights `ahead`, a backward
    /// of a module with a loss of its own. Messages take no time of the worker.
    pub fn action_ns(&self, op: Op, ahead: bool, own_loss: bool) -> u64 {
        let also = |more: bool, ns: u64| if more { ns } else { 0 };
        match op {
            Op::Forward | Op::ForwardGraph => self.forward_ns.saturating_add(also(ahead, self.predict_ns)),
            Op::Recompute => self.recompute_ns,
            Op::Backward => self.backward_ns.saturating_add(also(own_loss, self.auxiliary_ns)),
            Op::Update => self.update_ns,
            Op::SendY | Op::RecvY | Op::SendD | Op::RecvD => 0,
        }
    }

    /// One batch on one worker that does nothing else: forward, backward, update, in nanoseconds.
    pub fn plain_ns(&self) -> u64 {
        let computed = self.forward_ns.saturating_add(self.backward_ns);
        computed.saturating_add(self.update_ns)
    }

    /// All that a worker can spend on one batch, in nanoseconds.
    pub(crate) fn most_ns(&self) -> u128 {
        let actions = [Op::Forward, Op::Recompute, Op::Backward, Op::Update];
        let times = actions.map(|op| u128::from(self.action_ns(op, true, true)));
        times.into_iter().sum()
    }

    /// Field by field, where the costs of blocks add up. What the first or the last block of a module decides alone is left
    /// out: see [`with_ends`](Self::with_ends).
    fn merge(&self, other: &Self, with: fn(u64, u64) -> u64) -> Self {
        Self {
            forward_ns: with(self.forward_ns, other.forward_ns),
            backward_ns: with(self.backward_ns, other.backward_ns),
            recompute_ns: with(self.recompute_ns, other.recompute_ns),
            update_ns: with(self.update_ns, other.update_ns),
            predict_ns: with(self.predict_ns, other.predict_ns),
            activation_bytes: with(self.activation_bytes, other.activation_bytes),
            parameter_bytes: with(self.parameter_bytes, other.parameter_bytes),
            optimizer_bytes: with(self.optimizer_bytes, other.optimizer_bytes),
            auxiliary_ns: 0,
            input_bytes: 0,
        }
    }

    /// The same sums with what the first and the last of these blocks decide: the input, and the auxiliary head.
    fn with_ends(self, blocks: &[BlockCost]) -> Self {
        Self {
            auxiliary_ns: blocks.last().map_or(0, |b| b.auxiliary_ns),
            input_bytes: blocks.first().map_or(0, |b| b.input_bytes),
            ..self
        }
    }
}

impl From<&BlockCost> for ModuleCosts {
    /// A module of this block alone.
    fn from(block: &BlockCost) -> Self {
        Self {
            forward_ns: block.forward_ns,
            backward_ns: block.backward_ns,
            recompute_ns: block.recompute_ns.unwrap_or(block.forward_ns),
            update_ns: block.update_ns,
            predict_ns: block.predict_ns,
            auxiliary_ns: block.auxiliary_ns,
            input_bytes: block.input_bytes,
            activation_bytes: block.activation_bytes,
            parameter_bytes: block.parameter_bytes,
            optimizer_bytes: block.optimizer_bytes,
        }
    }
}

/// Sums over the first n blocks, from which the costs of any module follow in constant time.
pub(crate) struct Sums<'a> {
    costs: &'a Costs,
    first: Vec<ModuleCosts>,
}

impl<'a> Sums<'a> {
    pub(crate) fn new(costs: &'a Costs) -> Self {
        let mut sum = ModuleCosts::default();
        let mut first = vec![sum];
        for block in &costs.blocks {
            sum = sum.merge(&block.into(), u64::saturating_add);
            first.push(sum);
        }
        Self { costs, first }
    }

    /// The costs of a module of these blocks, of which there is at least one.
    pub(crate) fn of(&self, range: Range<usize>) -> ModuleCosts {
        let (to, below) = (&self.first[range.end], &self.first[range.start]);
        to.merge(below, |to, below| to - below)
            .with_ends(&self.costs.blocks[range])
    }
}
