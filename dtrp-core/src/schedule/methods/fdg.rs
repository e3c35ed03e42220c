//! Fully decoupled training with delayed gradients: the lockstep order with graphs kept 2(K−k) deep and no recomputation.
//! An update for every M batches (`accumulate`) makes it accumulated decoupled learning (ADL).

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "fdg",
    summary: "fully decoupled with delayed gradients, graphs kept; with accumulation it is ADL",
    source: "Zhuang, Wang, Liu, Lin, 2019; ADL: Zhuang et al., 2021",
    orders: &[Order::Lockstep],
    micro_batches: true,
    accumulate: true,
    gradients: true,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::lockstep(plan, shapes::Keep::Graph)
}
