//! Local learning: every module but the last has an auxiliary head with a loss of its own, so each does `G B U` for a batch
//! as it arrives, and no gradient travels between modules.

use crate::schedule::{Action, Method, Order, Plan, shapes};

pub(super) const METHOD: Method = Method {
    gradients: false,
    ..Method::new(
        "local",
        "local losses at auxiliary heads; nothing flows back between modules",
        "Belilovsky, Eickenberg, Oyallon, 2020 (DGL)",
        &[Order::Eager],
        compute,
    )
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::staggered(plan, shapes::Keep::Graph, |_| 0, |_| false)
}
