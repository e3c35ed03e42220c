//! 1F1B with a flush after every batch: the gradient of `gpipe`, but worker k never holds more than K−k+1 graphs.

use crate::schedule::{Action, Method, Order, Plan, shapes};

pub(super) const METHOD: Method = Method {
    micro_batches: true,
    flushes: true,
    ..Method::new(
        "1f1b",
        "the gradient of gpipe in one-forward-one-backward order, with less memory",
        "Narayanan et al., 2019 (PipeDream-flush)",
        &[Order::Synchronous],
        compute,
    )
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::flushed(plan, |k| plan.modules - k)
}
