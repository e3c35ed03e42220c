//! Decoupled parallel backpropagation with delayed gradients: the forward of a batch runs through all modules, the
//! backward of module k is that of K−k batches ago, on the graph kept since.

use crate::schedule::{Action, Method, Order, Plan, Recompute, shapes};

pub(super) const METHOD: Method = Method {
    recompute: Some(Recompute::None),
    ..Method::new(
        "ddg",
        "delayed gradients: forward through all modules, backward K-k batches late, graphs kept",
        "Huo, Gu, Yang, Huang, 2018",
        &[Order::Sweep],
        compute,
    )
};

fn compute(plan: &Plan, _: Order) -> Vec<Vec<Action>> {
    shapes::sweep(plan, shapes::Keep::Graph)
}
