//! What a worker has to hold at once. A worker's list runs in its own order whatever the times, so the peak follows from
//! the list alone.

use super::module::ModuleCosts;
use super::share::Share;
use crate::schedule::{Action, Op, Program, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// The memory of one worker by kind, in bytes.
///
/// Messages in the links and temporary buffers of computations are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// All of it, at the worst moment.
    pub peak: u64,
    /// Stored inputs and live graphs, at their worst moment.
    pub activations: u64,
    /// Stored inputs (from `F` to `B`), at their worst moment.
    pub inputs: u64,
    /// Live graphs (from `G` or `R` to `B`), at their worst moment.
    pub graphs: u64,
    /// Weight versions, at their worst moment: the current one, those of live graphs, and one of predicted weights where
    /// a forward uses them.
    pub weights: u64,
    /// What the optimizer keeps all the time.
    pub optimizer: u64,
}

impl Memory {
    /// The peaks of a program's workers, whose modules k = 1..K have the costs at index k−1. The program is one that the
    /// [analysis](crate::analysis::analyse) finds right.
    pub fn of(program: &Program, costs: &[ModuleCosts]) -> Vec<Self> {
        let workers = program.workers.iter().zip(costs);
        workers
            .map(|(actions, costs)| {
                let predicts = actions.iter().any(Action::is_ahead);
                Self::peak_of(actions.iter().copied(), costs, program.micro_batches, predicts)
            })
            .collect()
    }

    /// What a worker holds at one moment: so many bytes of stored inputs and of live graphs, so many copies of the weights.
    /// This is the one place that says which bytes there are.
    pub(super) fn at(costs: &ModuleCosts, inputs: u64, graphs: u64, weight_copies: usize) -> Self {
        let activations = inputs.saturating_add(graphs);
        let weights = (weight_copies as u64).saturating_mul(costs.parameter_bytes);
        let optimizer = costs.optimizer_bytes;
        Self {
            peak: activations.saturating_add(weights).saturating_add(optimizer),
            activations,
            inputs,
            graphs,
            weights,
            optimizer,
        }
    }

    /// Each kind at the worse of two moments.
    fn worse(self, other: Self) -> Self {
        Self {
            peak: self.peak.max(other.peak),
            activations: self.activations.max(other.activations),
            inputs: self.inputs.max(other.inputs),
            graphs: self.graphs.max(other.graphs),
            weights: self.weights.max(other.weights),
            optimizer: self.optimizer.max(other.optimizer),
        }
    }

    /// Follows one worker's list, which predicts weights or does not. The analysis has shown that every unit lives as it
    /// should.
    pub(crate) fn peak_of(
        actions: impl Iterator<Item = Action>,
        costs: &ModuleCosts,
        micro_batches: u16,
        predicts: bool,
    ) -> Self {
        let input = Share::new(costs.input_bytes, micro_batches);
        let graph = Share::new(costs.activation_bytes, micro_batches);
        let share = |share: Share, unit: Unit| share.of(unit.micro.max(1));
        let mut memory = Self {
            optimizer: costs.optimizer_bytes,
            ..Self::default()
        };
        // Live graphs, the oldest first, and which were recomputed from a stored input: unit, version, recomputed.
        let mut live: VecDeque<(Unit, u32, bool)> = VecDeque::new();
        let mut versions: BTreeMap<u32, usize> = BTreeMap::new();
        let (mut current, mut inputs, mut graphs) = (0, 0u64, 0u64);
        for action in actions {
            let unit = action.unit;
            match action.op {
                Op::Forward => inputs += share(input, unit),
                Op::ForwardGraph | Op::Recompute => {
                    graphs += share(graph, unit);
                    *versions.entry(action.version).or_default() += 1;
                    live.push_back((unit, action.version, action.op == Op::Recompute));
                }
                Op::Update => current = action.version,
                Op::Backward => {
                    let place = live.iter().position(|(u, ..)| *u == unit);
                    let Some((_, version, recomputed)) = place.and_then(|p| live.remove(p)) else {
                        continue;
                    };
                    graphs -= share(graph, unit);
                    if recomputed {
                        inputs -= share(input, unit);
                    }
                    if let Some(users) = versions.get_mut(&version) {
                        *users -= 1;
                        if *users == 0 {
                            versions.remove(&version);
                        }
                    }
                    // Nothing has grown.
                    continue;
                }
                Op::SendY | Op::RecvY | Op::SendD | Op::RecvD => continue,
            }
            let copies = versions.len() + usize::from(!versions.contains_key(&current)) + usize::from(predicts);
            memory = memory.worse(Self::at(costs, inputs, graphs, copies));
        }
        memory
    }
}
