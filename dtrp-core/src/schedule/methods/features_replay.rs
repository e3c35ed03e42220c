//! Features replay: `ddg` that keeps inputs instead of graphs and recomputes before the backward.
//!
//! The last module has no delay, so its forward builds the graph at once.

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "features-replay",
    summary: "like ddg, but inputs are kept and graphs recomputed",
    source: "Huo, Gu, Huang, 2018",
    orders: &[Order::Sweep],
    micro_batches: false,
    accumulate: false,
    gradients: true,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::sweep(plan, shapes::Keep::Input)
}
