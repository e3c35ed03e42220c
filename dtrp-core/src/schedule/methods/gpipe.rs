//! GPipe: the micro-batches of a batch all go forward, then all go back, gradients averaged, one update; the pipeline is
//! empty between batches.

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "gpipe",
    summary: "micro-batches: all forwards, then all backwards, then one update",
    source: "Huang et al., 2019",
    orders: &[Order::Synchronous],
    micro_batches: true,
    accumulate: false,
    gradients: true,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    let depth = usize::from(plan.micro_batches) - 1;
    shapes::flushed(plan, |_| depth)
}
