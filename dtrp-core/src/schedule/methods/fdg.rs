//! Fully decoupled training with delayed gradients: the lockstep order with graphs kept 2(K−k) deep and no recomputation.
//! An update for every M batches (`accumulate`) makes it accumulated decoupled learning (ADL).

use crate::schedule::{Action, Method, Order, Plan, Recompute, shapes};

pub(super) const METHOD: Method = Method {
    micro_batches: true,
    accumulate: true,
    recompute: Some(Recompute::None),
    ..Method::new(
        "fdg",
        "fully decoupled with delayed gradients, graphs kept; with accumulation it is ADL",
        "Zhuang, Wang, Liu, Lin, 2019; ADL: Zhuang et al., 2021",
        &[Order::Lockstep],
        compute,
    )
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::lockstep(plan, shapes::Keep::Graph)
}
