//! Backpropagation: `G` up the modules, the loss, `B` down, `U` everywhere, then the next batch.
//!
//! Every worker does the same; the messages alone make all but one of them wait at any time.

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "bp",
    summary: "plain backpropagation over the modules, one at a time",
    source: "Rumelhart, Hinton, Williams, 1986",
    orders: &[Order::Synchronous],
    micro_batches: false,
    accumulate: false,
    gradients: true,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::staggered(plan, shapes::Keep::Graph, |_| 0, |_| false)
}
