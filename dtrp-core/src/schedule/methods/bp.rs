//! Backpropagation: `G` up the modules, the loss, `B` down, `U` everywhere, then the next batch.
//!
//! Every worker does the same; the messages alone make all but one of them wait at any time.

use crate::schedule::{Action, Method, Order, Plan, shapes};

pub(super) const METHOD: Method = Method::new(
    "bp",
    "plain backpropagation over the modules, one at a time",
    "Rumelhart, Hinton, Williams, 1986",
    &[Order::Synchronous],
    compute,
);

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::staggered(plan, shapes::Keep::Graph, |_| 0, |_| false)
}
