//! The memory of workers in a long run of which only a short program is laid out.

use super::tape::Tape;
use crate::costs::{Memory, ModuleCosts};
use crate::schedule::{Action, Program};

/// The memory of every worker, when the repeating blocks are done `repeats` more times.
pub(super) fn memory(program: &Program, tapes: &[Tape], repeats: u64, costs: &[ModuleCosts]) -> Vec<Memory> {
    let repeats = repeats.min(u64::from(program.batches));
    let workers = program.workers.iter().zip(tapes).zip(costs);
    workers
        .map(|((actions, tape), costs)| {
            let predicts = actions.iter().any(Action::is_ahead);
            Memory::peak_of(longer(actions, tape, repeats), costs, program.micro_batches, predicts)
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
