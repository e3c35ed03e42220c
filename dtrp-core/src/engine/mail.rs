//! What lies at the workers of a run that has paused, and what has to.

use super::paused::PausedError;
use super::stage::Stage;
use crate::analysis::cut_after;
use crate::schedule::{Op, Program, Unit};
use std::collections::BTreeSet;
use std::fmt;

/// What lies at one worker of a run that has paused, everything sorted by unit. Nothing is on the links: what was is at the
/// receiver.
pub struct Mail<S: Stage> {
    /// Activations from the worker below that no `F` or `G` has used yet.
    pub arrived_up: Vec<(Unit, S::Up)>,
    /// Gradients from the worker above that no `B` has used yet.
    pub arrived_down: Vec<(Unit, S::Down)>,
    /// Activations that `>Y` is still to send.
    pub ready_up: Vec<(Unit, S::Up)>,
    /// Gradients that `>D` is still to send.
    pub ready_down: Vec<(Unit, S::Down)>,
}

impl<S: Stage> Mail<S> {
    pub(super) fn sort(&mut self) {
        self.arrived_up.sort_by_key(|(unit, _)| *unit);
        self.arrived_down.sort_by_key(|(unit, _)| *unit);
        self.ready_up.sort_by_key(|(unit, _)| *unit);
        self.ready_down.sort_by_key(|(unit, _)| *unit);
    }

    /// The units of its four lists.
    fn units(&self) -> [Vec<Unit>; 4] {
        [
            units(&self.arrived_up),
            units(&self.arrived_down),
            units(&self.ready_up),
            units(&self.ready_down),
        ]
    }
}

fn units<T>(list: &[(Unit, T)]) -> Vec<Unit> {
    list.iter().map(|(unit, _)| *unit).collect()
}

impl<S: Stage> Default for Mail<S> {
    /// Nothing.
    fn default() -> Self {
        Self {
            arrived_up: Vec::new(),
            arrived_down: Vec::new(),
            ready_up: Vec::new(),
            ready_down: Vec::new(),
        }
    }
}

impl<S: Stage<Up: Clone, Down: Clone>> Clone for Mail<S> {
    fn clone(&self) -> Self {
        Self {
            arrived_up: self.arrived_up.clone(),
            arrived_down: self.arrived_down.clone(),
            ready_up: self.ready_up.clone(),
            ready_down: self.ready_down.clone(),
        }
    }
}

impl<S: Stage> fmt::Debug for Mail<S> {
    /// The units alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("arrived_up", &units(&self.arrived_up))
            .field("arrived_down", &units(&self.arrived_down))
            .field("ready_up", &units(&self.ready_up))
            .field("ready_down", &units(&self.ready_down))
            .finish()
    }
}

/// The four lists of a [`Mail`], in order.
const LISTS: [&str; 4] = [
    "an activation from below",
    "a gradient from above",
    "an activation that it is to send",
    "a gradient that it is to send",
];

/// Compares what lies at the workers with what the program says of this cut. Gives its positions.
pub(super) fn check<S: Stage>(program: &Program, batch: u32, mail: &[Mail<S>]) -> Result<Vec<usize>, PausedError> {
    if batch > program.batches {
        let batches = program.batches;
        return Err(PausedError::Batch { batch, batches });
    }
    if mail.len() != program.modules() {
        return Err(PausedError::Workers {
            workers: mail.len(),
            modules: program.modules(),
        });
    }
    let positions = cut_after(program, batch);
    for ((worker, mail), due) in (1..).zip(mail).zip(lying(program, &positions)) {
        for ((has, due), what) in mail.units().into_iter().zip(due).zip(LISTS) {
            let mut left = due;
            if let Some(unit) = has.into_iter().find(|unit| !left.remove(unit)) {
                return Err(PausedError::Surplus {
                    worker,
                    what,
                    unit,
                    batch,
                });
            }
            if let Some(unit) = left.pop_first() {
                return Err(PausedError::Missing {
                    worker,
                    what,
                    unit,
                    batch,
                });
            }
        }
    }
    Ok(positions)
}

/// Which units lie at each worker when it has done so many actions, in the order of [`LISTS`].
fn lying(program: &Program, positions: &[usize]) -> Vec<[BTreeSet<Unit>; 4]> {
    let done = |k: usize| program.workers[k].iter().take(positions[k]);
    // What an action has done to a unit at worker k, and nothing where there is no such worker.
    let units = |k: Option<usize>, ops: &'static [Op]| {
        let actions = k.filter(|k| *k < positions.len()).map(done);
        let actions = actions.into_iter().flatten();
        actions
            .filter(|action| ops.contains(&action.op))
            .map(|action| action.unit)
    };
    let without = |all: BTreeSet<Unit>, used: BTreeSet<Unit>| &all - &used;
    let worker = |k: usize| {
        let forwarded = || units(Some(k), &[Op::Forward, Op::ForwardGraph]).collect::<BTreeSet<_>>();
        let backward = || units(Some(k), &[Op::Backward]).collect::<BTreeSet<_>>();
        let sends = |op: Op| program.workers[k].iter().any(|action| action.op == op);
        let up = if sends(Op::SendY) { forwarded() } else { BTreeSet::new() };
        let down = if sends(Op::SendD) { backward() } else { BTreeSet::new() };
        [
            without(units(k.checked_sub(1), &[Op::SendY]).collect(), forwarded()),
            without(units(Some(k + 1), &[Op::SendD]).collect(), backward()),
            without(up, units(Some(k), &[Op::SendY]).collect()),
            without(down, units(Some(k), &[Op::SendD]).collect()),
        ]
    };
    (0..positions.len()).map(worker).collect()
}
