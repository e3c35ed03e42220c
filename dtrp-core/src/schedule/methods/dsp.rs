//! DSP: the program of `dtrp` with forwards on the current weights.

use super::dtrp;
use crate::schedule::{Action, Method, Order, Plan, Recompute};

pub(super) const METHOD: Method = Method {
    micro_batches: true,
    recompute: Some(Recompute::Full),
    ..Method::new(
        "dsp",
        "diversely stale parameters: dtrp without prediction",
        "Xu, Huo, Huang, 2020",
        &[Order::Lockstep, Order::Eager],
        compute,
    )
};

fn compute(plan: &Plan, order: Order) -> Vec<Vec<Action>> {
    dtrp::compute(plan, order)
}
