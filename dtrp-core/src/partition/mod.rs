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
    /// Which of the loads each module has, where there was a choice; else 0.
    pub choices: Vec<usize>,
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
    partition_among(costs, loads.len(), &[loads], budget)
}

/// As [`partition`], with a choice for each module: module k does what one of the `programs` has its worker do, such as
/// recompute or keep graphs. Cuts and choices are placed together: of a module with given blocks the choice is the fastest one
/// that fits the budget, and of equally fast ones that which holds less.
///
/// # Errors
///
/// As [`partition`]; the least budget is then that of the most sparing choices.
pub fn partition_among(
    costs: &Costs,
    modules: usize,
    programs: &[&[Load]],
    budget: Option<u64>,
) -> Result<Partition, PartitionError> {
    let blocks = costs.blocks.len();
    if modules == 0 || modules > blocks {
        return Err(PartitionError::Modules { blocks, modules });
    }
    let sums = Sums::new(costs);
    let limits = Limits { blocks, modules };
    // Time, memory and number of the best choice that fits.
    let best = |k: usize, range: Range<usize>| {
        let costs = sums.of(range);
        let loads = programs.iter().enumerate().filter_map(|(choice, loads)| {
            let load = loads.get(k)?;
            Some((load.work(&costs), load.memory(&costs).peak, choice))
        });
        loads
            .filter(|(_, memory, _)| budget.is_none_or(|budget| *memory <= budget))
            .min()
    };
    let memory = |k: usize, range: Range<usize>| {
        let costs = sums.of(range);
        let loads = programs.iter().filter_map(|loads| loads.get(k));
        loads.map(|load| load.memory(&costs).peak).min().unwrap_or(u64::MAX)
    };
    let allowed = |k: usize, range: Range<usize>| best(k, range).map(|(time, ..)| time);
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
    let mut partition = Partition {
        modules: ranges.clone(),
        times_ns: Vec::new(),
        memory: Vec::new(),
        choices: Vec::new(),
    };
    for (k, range) in ranges.into_iter().enumerate() {
        let costs = sums.of(range.clone());
        // Every module of it was allowed, so there is a choice.
        if let Some((_, memory, choice)) = best(k, range) {
            partition.times_ns.push(programs[choice][k].time_ns(&costs));
            partition.memory.push(memory);
            partition.choices.push(choice);
        }
    }
    Ok(partition)
}
