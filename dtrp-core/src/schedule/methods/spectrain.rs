//! SpecTrain (its second version): `G` with the weights predicted for the time of `B`, the graph kept, `B` on it, `U` on the
//! current weights.

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "spectrain",
    summary: "like pipedream, but forward with predicted weights, updates on the current ones",
    source: "Chen, Yang, Cheng, 2018",
    orders: &[Order::Eager],
    micro_batches: true,
    accumulate: false,
    gradients: true,
    predict: Predict::ToBackward,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::eager(plan, shapes::Keep::Graph)
}
