//! Features replay: `ddg` that keeps inputs instead of graphs and recomputes before the backward.
//!
//! The last module has no delay, so its forward builds the graph at once.

use crate::schedule::{Action, Method, Order, Plan, Recompute, shapes};

pub(super) const METHOD: Method = Method {
    recompute: Some(Recompute::Full),
    ..Method::new(
        "features-replay",
        "like ddg, but inputs are kept and graphs recomputed",
        "Huo, Gu, Huang, 2018",
        &[Order::Sweep],
        compute,
    )
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::sweep(plan, shapes::Keep::Input)
}
