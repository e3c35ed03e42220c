//! The passes that turn a method's bare computations into a program: messages, weight versions, horizons.

use super::action::{Action, Op, Unit};
use std::collections::HashMap;

/// Up to which action of the same unit a forward's weights are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predict {
    /// Forwards use the current weights.
    Never,
    /// `F` uses the weights expected at `R`.
    ToRecompute,
    /// `G` uses the weights expected at `B`.
    ToBackward,
}

/// Places sends and receives around the computations of all workers.
///
/// An output is sent right after it is computed, so the neighbour never waits for something that lies ready. An input is
/// received right before it is needed; a gradient therefore *after* the recomputation, which hides the wait for it.
pub(super) fn place_messages(workers: Vec<Vec<Action>>, gradients: bool) -> Vec<Vec<Action>> {
    let modules = workers.len();
    let place = |(index, computations): (usize, Vec<Action>)| {
        let (below, above) = (index > 0, index + 1 < modules);
        let mut actions = Vec::with_capacity(computations.len() * 2);
        for action in computations {
            let forward = action.op.is_first_forward();
            let backward = action.op == Op::Backward && gradients;
            if forward && below {
                actions.push(Action::new(Op::RecvY, action.unit));
            }
            if backward && above {
                actions.push(Action::new(Op::RecvD, action.unit));
            }
            actions.push(action);
            if forward && above {
                actions.push(Action::new(Op::SendY, action.unit));
            }
            if backward && below {
                actions.push(Action::new(Op::SendD, action.unit));
            }
        }
        actions
    };
    workers.into_iter().enumerate().map(place).collect()
}

/// Fills in the weight versions and, for predicted forwards, the horizons, by counting the updates of the program. `chosen`: what
/// modules keep was chosen for each, so a method that predicts does so for whichever forward is the first.
pub(super) fn count_versions(workers: &mut [Vec<Action>], predict: Predict, chosen: bool) {
    let last = workers.len().saturating_sub(1);
    for (index, actions) in workers.iter_mut().enumerate() {
        let mut updates = 0;
        let mut graph: HashMap<Unit, u32> = HashMap::new();
        let mut predicted: HashMap<Unit, usize> = HashMap::new();
        for i in 0..actions.len() {
            let Action { op, unit, .. } = actions[i];
            match op {
                Op::Update => updates += 1,
                op if op.builds_graph() => {
                    graph.insert(unit, updates);
                }
                _ => {}
            }
            if !op.is_message() {
                actions[i].version = match op {
                    Op::Backward => graph.remove(&unit).unwrap_or(updates),
                    _ => updates,
                };
            }
            let (input, kept) = (op == Op::Forward, op == Op::ForwardGraph && index < last);
            let (opens, closes) = match predict {
                Predict::Never => continue,
                // Of a unit that is recomputed, the recomputation comes before the backward, and closes.
                _ if chosen => (input || kept, matches!(op, Op::Recompute | Op::Backward)),
                Predict::ToRecompute => (input, op == Op::Recompute),
                Predict::ToBackward => (kept, op == Op::Backward),
            };
            if opens {
                predicted.insert(unit, i);
            } else if closes && let Some(first) = predicted.remove(&unit) {
                actions[first].horizon = Some(updates - actions[first].version);
            }
        }
    }
}
