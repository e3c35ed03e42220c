//! What a worker has to hold at once. A worker's list runs in its own order whatever the times, so the peak follows from
//! the list alone.

use super::costs::ModuleCosts;
use super::share::Share;
use super::tape::Tape;
use crate::schedule::{Action, Op, Program, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// The peak memory of one worker, in bytes.
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

/// The memory of every worker, when the repeating blocks are done `repeats` more times.
pub(super) fn memory(program: &Program, tapes: &[Tape], repeats: u64, costs: &[ModuleCosts]) -> Vec<Memory> {
    let workers = program.workers.iter().zip(tapes).zip(costs);
    workers
        .map(|((actions, tape), costs)| {
            let longer = longer(actions, tape, repeats.min(u64::from(program.batches)));
            let predicts = actions.iter().any(|a| a.horizon.is_some_and(|h| h > 0));
            peak(longer, costs, program.micro_batches, predicts)
        })
        .collect()
}

/// The list with its repeating block `repeats` more times. As many repetitions as there are batches in the short list
/// are enough for a peak: then every graph alive was built inside the repetitions.
fn longer(actions: &[Action], tape: &Tape, repeats: u64) -> impl Iterator<Item = Action> {
    let section = tape.section.filter(|_| repeats > 0);
    let repeats = section.map_or(0, |_| repeats as u32);
    let group = section.map_or(0, |s| s.batches);
    let insert = section.map_or(actions.len(), |s| tape.actions(0..s.insert));
    let block = section.map_or(0, |s| tape.actions(s.insert - s.block..s.insert));
    // There is one update in a block. (The version named by a `B` may come out wrong: that of its graph is known anyway.)
    let later = move |action: &Action, times: u32| {
        let mut action = *action;
        action.unit.batch = action.unit.batch.saturating_add(times * group);
        action.version = action.version.saturating_add(times);
        action
    };
    let (before, after) = actions.split_at(insert);
    let repeated = (1..=repeats).flat_map(move |times| before[insert - block..].iter().map(move |a| later(a, times)));
    let before = before.iter().copied();
    before
        .chain(repeated)
        .chain(after.iter().map(move |a| later(a, repeats)))
}

/// Follows one worker's list. The analysis has shown that every unit lives as it should.
fn peak(actions: impl Iterator<Item = Action>, costs: &ModuleCosts, micro_batches: u16, predicts: bool) -> Memory {
    let input = Share::new(costs.input_bytes, micro_batches);
    let graph = Share::new(costs.activation_bytes, micro_batches);
    let share = |share: Share, unit: Unit| share.of(unit.micro.max(1));
    let mut memory = Memory {
        optimizer: costs.optimizer_bytes,
        ..Memory::default()
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
        let weights = copies as u64 * costs.parameter_bytes;
        memory.inputs = memory.inputs.max(inputs);
        memory.graphs = memory.graphs.max(graphs);
        memory.activations = memory.activations.max(inputs + graphs);
        memory.weights = memory.weights.max(weights);
        memory.peak = memory.peak.max(weights + inputs + graphs + memory.optimizer);
    }
    memory
}
