//! DSP: the program of `dtrp` with forwards on the current weights.

use super::{Method, Plan, dtrp};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "dsp",
    summary: "diversely stale parameters: dtrp without prediction",
    source: "Xu, Huo, Huang, 2020",
    orders: &[Order::Lockstep, Order::Eager],
    micro_batches: true,
    accumulate: false,
    gradients: true,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, order: Order) -> Vec<Vec<Action>> {
    dtrp::compute(plan, order)
}
