//! PipeDream with weight stashing: the eager order with graphs. `B` uses the weight version that `G` used; `U` updates the
//! newest.

use crate::schedule::{Action, Method, Order, Plan, Recompute, shapes};

pub(super) const METHOD: Method = Method {
    micro_batches: true,
    recompute: Some(Recompute::None),
    ..Method::new(
        "pipedream",
        "one forward, one backward; every batch has its own weight version for both (weight stashing)",
        "Narayanan et al., 2019",
        &[Order::Eager],
        compute,
    )
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::eager(plan, shapes::Keep::Graph)
}
