//! Where to cut a network into modules: the contiguous cuts that make the slowest worker as fast as possible, for given
//! costs of the blocks and for what a program has each worker do.
//!
//! With T_f, T_b and T_r the times of a block's forward, backward and recomputation, a module that recomputes costs
//! Σ (T_f + T_r + T_b) a batch, one that does not Σ (T_f + T_b); updates, predictions and auxiliary heads come on top. So
//! the last module, which never recomputes, gets more blocks. With T_b = 2 T_f and two modules that raises the speed-up over
//! one worker from 1.5 to 1.75.
//!
//! ```
//! use dtrp_core::costs::{BlockCost, Costs, Load};
//! use dtrp_core::partition::partition;
//! use dtrp_core::schedule::{Method, Plan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let block = BlockCost { forward_ns: 1000, backward_ns: 2000, ..BlockCost::default() };
//! let costs = Costs { batch_size: None, blocks: vec![block; 7] };
//! let method = Method::named("dtrp")?;
//! let loads = Load::of(&method.program(&Plan::new(2, 20))?)?;
//! let best = partition(&costs, &loads, None)?;
//! assert_eq!(best.cuts(), [3]);
//! assert_eq!(best.slowest_ns(), 12_000.0);
//! # Ok(())
//! # }
//! ```
//!
//! The search is exact: dynamic programming in O(K·n²) for K modules and n blocks, in whole numbers. Of several partitions
//! with the same slowest worker it takes the one with the least sum of squared times (even, and with little recomputation),
//! and of those the one whose cuts lie lowest.
//!
//! Knows nothing of tensors, threads or time: programs that are waited for in other ways (`bp`) gain less than it hopes.

mod error;
mod search;

pub use error::PartitionError;

use crate::costs::{Costs, Load, Sums};
use search::{Limits, cheapest, evenest};
use std::ops::Range;

/// The best way to cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// The blocks of each module, module 1 first.
    pub modules: Vec<Range<usize>>,
    /// How long each worker computes for one batch, in nanoseconds.
    pub times_ns: Vec<f64>,
    /// The most that each worker holds, in bytes: see [`Load::memory`].
    pub memory: Vec<u64>,
}

impl Partition {
    /// For each cut the number of blocks below it.
    pub fn cuts(&self) -> Vec<usize> {
        self.modules.iter().skip(1).map(|m| m.start).collect()
    }

    /// The time of the slowest worker for one batch, in nanoseconds.
    pub fn slowest_ns(&self) -> f64 {
        self.times_ns.iter().copied().fold(0.0, f64::max)
    }
}

/// Cuts the blocks into as many modules as there are loads, so that none needs more than `budget` bytes.
///
/// # Errors
///
/// [`PartitionError`] when there are fewer blocks than modules, or whatever the cuts some module needs more memory than
/// that.
pub fn partition(costs: &Costs, loads: &[Load], budget: Option<u64>) -> Result<Partition, PartitionError> {
    let (blocks, modules) = (costs.blocks.len(), loads.len());
    if modules == 0 || modules > blocks {
        return Err(PartitionError::Modules { blocks, modules });
    }
    let sums = Sums::new(costs);
    let limits = Limits { blocks, modules };
    let time = |k: usize, range: Range<usize>| loads[k].work(&sums.of(range));
    let memory = |k: usize, range: Range<usize>| loads[k].memory(&sums.of(range)).peak;
    let allowed = |k: usize, range: Range<usize>| {
        let fits = budget.is_none_or(|budget| memory(k, range.clone()) <= budget);
        fits.then(|| time(k, range))
    };
    let Some(slowest) = cheapest(limits, allowed) else {
        let least = cheapest(limits, |k, range| Some(u128::from(memory(k, range))));
        return Err(PartitionError::Memory {
            budget: budget.unwrap_or(u64::MAX),
            // There is an answer where nothing is forbidden, and it is one of the memories.
            least: least.map_or(u64::MAX, |least| least as u64),
            modules,
        });
    };
    let ranges = evenest(limits, |k, range| allowed(k, range).filter(|t| *t <= slowest));
    let placed = || ranges.iter().cloned().enumerate();
    Ok(Partition {
        times_ns: placed().map(|(k, r)| loads[k].time_ns(&sums.of(r))).collect(),
        memory: placed().map(|(k, r)| memory(k, r)).collect(),
        modules: ranges,
    })
}
