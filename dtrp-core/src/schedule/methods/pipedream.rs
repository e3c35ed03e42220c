//! PipeDream with weight stashing: the eager order with graphs. `B` uses the weight version that `G` used; `U` updates the
//! newest.

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "pipedream",
    summary: "one forward, one backward; every batch has its own weight version for both (weight stashing)",
    source: "Narayanan et al., 2019",
    orders: &[Order::Eager],
    micro_batches: true,
    accumulate: false,
    gradients: true,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::eager(plan, shapes::Keep::Graph)
}
