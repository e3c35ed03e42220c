//! Local learning: every module but the last has an auxiliary head with a loss of its own, so each does `G B U` for a batch
//! as it arrives, and no gradient travels between modules.

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "local",
    summary: "local losses at auxiliary heads; nothing flows back between modules",
    source: "Belilovsky, Eickenberg, Oyallon, 2020 (DGL)",
    orders: &[Order::Eager],
    micro_batches: false,
    accumulate: false,
    gradients: false,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::staggered(plan, shapes::Keep::Graph, |_| 0, |_| false)
}
