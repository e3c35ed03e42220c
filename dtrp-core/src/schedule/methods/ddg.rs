//! Decoupled parallel backpropagation with delayed gradients: the forward of a batch runs through all modules, the
//! backward of module k is that of K−k batches ago, on the graph kept since.

use super::{Method, Plan, shapes};
use crate::schedule::action::Action;
use crate::schedule::passes::Predict;
use crate::schedule::program::Order;

pub(super) const METHOD: Method = Method {
    name: "ddg",
    summary: "delayed gradients: forward through all modules, backward K-k batches late, graphs kept",
    source: "Huo, Gu, Yang, Huang, 2018",
    orders: &[Order::Sweep],
    micro_batches: false,
    accumulate: false,
    gradients: true,
    predict: Predict::Never,
    compute,
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::sweep(plan, shapes::Keep::Graph)
}
