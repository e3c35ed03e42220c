//! What each block of a network costs.

use super::error::CostsError;
use super::module::ModuleCosts;
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

/// The longest time of a block, in nanoseconds: two weeks. Sums of these have room in 64 bits.
const MOST_NS: u64 = 1 << 50;
/// The largest size of anything of a block, in bytes: 17 TB.
const MOST_BYTES: u64 = 1 << 44;

impl Costs {
    /// The names of the blocks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().map(|block| block.name.as_str())
    }

    /// Checks that each number can be meant.
    ///
    /// # Errors
    ///
    /// [`CostsError::Value`] for the first that cannot.
    pub fn check(&self) -> Result<(), CostsError> {
        let wrong = |place: String, value: u64, expected: String| CostsError::Value { place, value, expected };
        if self.batch_size == Some(0) {
            return Err(wrong("batch_size".to_owned(), 0, "at least 1".to_owned()));
        }
        for (index, block) in self.blocks.iter().enumerate() {
            for (name, value, most) in [
                ("forward_ns", block.forward_ns, MOST_NS),
                ("backward_ns", block.backward_ns, MOST_NS),
                ("recompute_ns", block.recompute_ns.unwrap_or(0), MOST_NS),
                ("update_ns", block.update_ns, MOST_NS),
                ("predict_ns", block.predict_ns, MOST_NS),
                ("auxiliary_ns", block.auxiliary_ns, MOST_NS),
                ("input_bytes", block.input_bytes, MOST_BYTES),
                ("activation_bytes", block.activation_bytes, MOST_BYTES),
                ("parameter_bytes", block.parameter_bytes, MOST_BYTES),
                ("optimizer_bytes", block.optimizer_bytes, MOST_BYTES),
            ] {
                if value > most {
                    return Err(wrong(
                        format!("blocks[{index}].{name}"),
                        value,
                        format!("at most {most}"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The costs of the modules that these ranges of blocks make, module 1 first.
    ///
    /// # Errors
    ///
    /// [`CostsError::Cuts`] unless the ranges follow one another, none empty, from the first to the last block.
    pub fn modules(&self, ranges: &[Range<usize>]) -> Result<Vec<ModuleCosts>, CostsError> {
        let starts = std::iter::once(0).chain(ranges.iter().map(|r| r.end));
        let joined = ranges
            .iter()
            .zip(starts)
            .all(|(r, start)| r.start == start && r.end > r.start);
        if !joined || ranges.last().map(|r| r.end) != Some(self.blocks.len()) {
            return Err(CostsError::Cuts {
                ranges: format!("{ranges:?}"),
                blocks: self.blocks.len(),
            });
        }
        let modules = ranges.iter().map(|r| ModuleCosts::of(&self.blocks[r.clone()]));
        Ok(modules.collect())
    }
}
