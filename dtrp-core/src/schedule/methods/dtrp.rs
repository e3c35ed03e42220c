//! DTRP, the heart of the project: only inputs are kept; the forward pass is recomputed when the gradient arrives, and the
//! first forward uses the weights predicted for that moment. K = 2, lockstep:
//!
//! ```text
//! slot  worker 1     worker 2
//!    1  F1
//!    2  F2           G1 B1 U
//!    3  R1 B1 U F3   G2 B2 U
//!    4  R2 B2 U F4   G3 B3 U
//! ```

use crate::schedule::{Action, Method, Order, Plan, Predict, Recompute, shapes};

pub(super) const METHOD: Method = Method {
    micro_batches: true,
    compensation: true,
    predict: Predict::ToRecompute,
    recompute: Some(Recompute::Full),
    ..Method::new(
        "dtrp",
        "decoupled training with re-computation and weight prediction",
        "Peng et al., 2023, with the eager order added",
        &[Order::Lockstep, Order::Eager],
        compute,
    )
};

pub(super) fn compute(plan: &Plan, order: Order) -> Vec<Vec<Action>> {
    match order {
        Order::Eager => shapes::eager(plan, shapes::Keep::Input),
        _ => shapes::lockstep(plan, shapes::Keep::Input),
    }
}
