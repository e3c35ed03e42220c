//! What a program costs, derived by counting.

use crate::schedule::Unit;

/// The derived numbers of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramReport {
    /// Worker k = 1..K at index k−1.
    pub workers: Vec<WorkerReport>,
}

/// The derived numbers of one worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerReport {
    /// For each unit, in the order of the first forwards: updates of this module between the unit's first forward and its
    /// backward.
    pub staleness: Vec<(Unit, u32)>,
    /// For each unit forwarded with predicted weights: how many updates ahead.
    pub horizons: Vec<(Unit, u32)>,
    /// Most inputs stored at once, from `F` to `B`.
    pub stored_inputs: usize,
    /// Most autograd graphs alive at once, from `G` or `R` to `B`.
    pub live_graphs: usize,
    /// Most weight versions needed at once: the current one and those of live graphs.
    pub weight_versions: usize,
    /// Updates made.
    pub updates: u32,
    /// Messages sent up and down.
    pub messages: usize,
}

impl WorkerReport {
    /// The largest staleness of any unit, in updates.
    pub fn max_staleness(&self) -> u32 {
        self.staleness.iter().map(|(_, s)| *s).max().unwrap_or(0)
    }

    /// The mean staleness over all units, in updates.
    pub fn mean_staleness(&self) -> f64 {
        let sum: f64 = self.staleness.iter().map(|(_, s)| f64::from(*s)).sum();
        sum / self.staleness.len().max(1) as f64
    }
}
