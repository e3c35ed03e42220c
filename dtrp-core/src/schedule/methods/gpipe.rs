//! GPipe: the micro-batches of a batch all go forward, then all go back, gradients averaged, one update; the pipeline is
//! empty between batches.

use crate::schedule::{Action, Method, Order, Plan, shapes};

pub(super) const METHOD: Method = Method {
    micro_batches: true,
    flushes: true,
    ..Method::new(
        "gpipe",
        "micro-batches: all forwards, then all backwards, then one update",
        "Huang et al., 2019",
        &[Order::Synchronous],
        compute,
    )
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    let depth = usize::from(plan.micro_batches) - 1;
    shapes::flushed(plan, |_| depth)
}
