//! SpecTrain (its second version): `G` with the weights predicted for the time of `B`, the graph kept, `B` on it, `U` on the
//! current weights.

use crate::schedule::{Action, Method, Order, Plan, Predict, Recompute, shapes};

pub(super) const METHOD: Method = Method {
    micro_batches: true,
    predict: Predict::ToBackward,
    recompute: Some(Recompute::None),
    ..Method::new(
        "spectrain",
        "like pipedream, but forward with predicted weights, updates on the current ones",
        "Chen, Yang, Cheng, 2018",
        &[Order::Eager],
        compute,
    )
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::eager(plan, shapes::Keep::Graph)
}
