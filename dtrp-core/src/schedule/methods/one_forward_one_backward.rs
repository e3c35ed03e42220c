//! 1F1B with a flush after every batch: the gradient of `gpipe`, but worker k never holds more than K−k+1 graphs.

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "1f1b",
    summary: "the gradient of gpipe in one-forward-one-backward order, with less memory",
    source: "Narayanan et al., 2019 (PipeDream-flush)",
    orders: &[Order::Synchronous],
    micro_batches: true,
    accumulate: false,
    gradients: true,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::flushed(plan, |k| plan.modules - k)
}
