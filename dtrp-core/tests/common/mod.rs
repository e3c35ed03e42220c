//! What the scheduler's tests share.

use dtrp_core::schedule::{Method, Order, Plan, Program, Recompute};
use proptest::prelude::*;

/// Every method in each of its orders.
pub(crate) fn variants() -> Vec<(&'static Method, Order)> {
    Method::all()
        .iter()
        .flat_map(|method| method.orders.iter().map(move |order| (*method, *order)))
        .collect()
}

/// The plan, with what the method lacks left at 1.
pub(crate) fn plan(method: &Method, order: Order, modules: usize, batches: u32, micro: u16, accumulate: u32) -> Plan {
    let plan = Plan::new(modules, batches).order(order);
    let plan = if method.micro_batches {
        plan.micro_batches(micro)
    } else {
        plan
    };
    if method.accumulate {
        plan.accumulate(accumulate)
    } else {
        plan
    }
}

/// Any program that a method can make, up to these sizes.
pub(crate) fn programs(
    modules: usize,
    batches: u32,
    micro: u16,
) -> impl Strategy<Value = (&'static Method, Plan, Program)> {
    let variant = proptest::sample::select(variants());
    // What each module recomputes, or nothing, which leaves it to the method.
    let choice = proptest::sample::select(Recompute::ALL.to_vec());
    let choices = proptest::option::of(proptest::collection::vec(choice, modules));
    let sizes = (1..=modules, 0..=batches, 1..=micro, 1..=3u32);
    (variant, sizes, choices).prop_map(|((method, order), (k, n, m, accumulate), choices)| {
        let plan = plan(method, order, k, n, m, accumulate);
        let choices = choices.filter(|_| method.recompute.is_some()).unwrap_or_default();
        let plan = plan.recompute(choices.into_iter().take(k).collect::<Vec<_>>());
        let program = method
            .program(&plan)
            .expect("the plan asks only for what the method has");
        (method, plan, program)
    })
}
