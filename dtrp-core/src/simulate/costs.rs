//! What each block of a network costs, and the sums over the blocks of a module.

use super::error::SimulateError;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The costs of a network, block by block, for one batch.
///
/// A plain struct that YAML and JSON can hold: what `dtrp profile` measures, or what someone writes by hand.
///
/// ```yaml
/// batch_size: 128
/// blocks:
///   - {name: stem, forward_ns: 900000, backward_ns: 1700000, input_bytes: 1572864, activation_bytes: 25165824}
///   - {name: head, forward_ns: 20000, backward_ns: 30000, input_bytes: 32768, parameter_bytes: 2600}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Images in a batch, for throughputs in images per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// The blocks, from the one that takes the images to the one that computes the loss.
    pub blocks: Vec<BlockCost>,
}

/// The costs of one block for one whole batch. With micro-batches each of the m takes its m-th part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockCost {
    /// The block's name, for people.
    #[serde(default)]
    pub name: String,
    /// Time of a forward, with or without graph, in nanoseconds.
    pub forward_ns: u64,
    /// Time of a backward, in nanoseconds.
    pub backward_ns: u64,
    /// Time of a recomputation, in nanoseconds; that of a forward unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recompute_ns: Option<u64>,
    /// Time of an optimizer update, in nanoseconds.
    #[serde(default)]
    pub update_ns: u64,
    /// Time to predict the weights, in nanoseconds; added to every forward whose weights are predicted at least one update
    /// ahead.
    #[serde(default)]
    pub predict_ns: u64,
    /// Time of the forward and backward of an auxiliary head after this block, in nanoseconds. It counts only where a
    /// module ends with this block and has a loss of its own (method `local`).
    #[serde(default)]
    pub auxiliary_ns: u64,
    /// Size of the block's input, in bytes: what a module that begins with it receives and stores.
    #[serde(default)]
    pub input_bytes: u64,
    /// Size of the block's autograd graph, in bytes: what lives from a forward with graph to the backward.
    #[serde(default)]
    pub activation_bytes: u64,
    /// Size of the block's parameters, in bytes: one weight version.
    #[serde(default)]
    pub parameter_bytes: u64,
    /// Size of what the optimizer keeps all the time, in bytes: its state, and the gradient if it has a buffer.
    #[serde(default)]
    pub optimizer_bytes: u64,
}

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

impl Costs {
    /// The costs of the modules that these ranges of blocks make, module 1 first.
    ///
    /// # Errors
    ///
    /// [`SimulateError::Cuts`] unless the ranges follow one another, none empty, from the first to the last block.
    pub fn modules(&self, ranges: &[Range<usize>]) -> Result<Vec<ModuleCosts>, SimulateError> {
        let starts = std::iter::once(0).chain(ranges.iter().map(|r| r.end));
        let joined = ranges
            .iter()
            .zip(starts)
            .all(|(r, start)| r.start == start && r.end > r.start);
        if !joined || ranges.last().map(|r| r.end) != Some(self.blocks.len()) {
            return Err(SimulateError::Cuts {
                ranges: format!("{ranges:?}"),
                blocks: self.blocks.len(),
            });
        }
        let modules = ranges.iter().map(|r| sum(&self.blocks[r.clone()]));
        Ok(modules.collect())
    }

    /// As many blocks in each of `modules` modules as in every other; where that does not come out even, the last ones
    /// have one more. `None` when there are fewer blocks than modules, or no modules.
    pub fn even_cuts(&self, modules: usize) -> Option<Vec<Range<usize>>> {
        let blocks = self.blocks.len();
        if modules == 0 || modules > blocks {
            return None;
        }
        let end = |k: usize| k * blocks / modules;
        Some((0..modules).map(|k| end(k)..end(k + 1)).collect())
    }
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

    /// One batch on one worker that does nothing else: forward, backward, update, in nanoseconds.
    pub fn plain_ns(&self) -> u64 {
        let computed = self.forward_ns.saturating_add(self.backward_ns);
        computed.saturating_add(self.update_ns)
    }
}

fn sum(blocks: &[BlockCost]) -> ModuleCosts {
    let total = |field: fn(&BlockCost) -> u64| blocks.iter().map(field).fold(0, u64::saturating_add);
    ModuleCosts {
        forward_ns: total(|b| b.forward_ns),
        backward_ns: total(|b| b.backward_ns),
        recompute_ns: total(|b| b.recompute_ns.unwrap_or(b.forward_ns)),
        update_ns: total(|b| b.update_ns),
        predict_ns: total(|b| b.predict_ns),
        auxiliary_ns: blocks.last().map_or(0, |b| b.auxiliary_ns),
        input_bytes: blocks.first().map_or(0, |b| b.input_bytes),
        activation_bytes: total(|b| b.activation_bytes),
        parameter_bytes: total(|b| b.parameter_bytes),
        optimizer_bytes: total(|b| b.optimizer_bytes),
    }
}
