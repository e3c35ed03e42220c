//! Skipping repetitions changes nothing: the answer for N batches from a short program equals the walk through all of them.

mod common;

use dtrp_core::costs::ModuleCosts;
use dtrp_core::schedule::{Method, Plan};
use dtrp_core::simulate::{Links, Simulation, SimulationOptions, simulate, simulate_plan};
use proptest::prelude::*;
use std::num::NonZeroUsize;

fn costs(most: u64) -> impl Strategy<Value = ModuleCosts> {
    let bytes = (0u64..2000, 0u64..2000, 0u64..2000);
    let small = (0u64..10, 0u64..10, 0u64..10);
    (1..most, 1..most, 1..most, small, bytes).prop_map(|(forward_ns, backward_ns, recompute_ns, small, bytes)| {
        ModuleCosts {
            forward_ns,
            backward_ns,
            recompute_ns,
            update_ns: small.0,
            predict_ns: small.1,
            auxiliary_ns: small.2,
            input_bytes: bytes.0,
            activation_bytes: bytes.1,
            parameter_bytes: bytes.2,
            optimizer_bytes: 7,
        }
    })
}

fn links() -> impl Strategy<Value = Links> {
    let rate = proptest::option::of(1_000_000_000u64..200_000_000_000);
    (0u64..60, rate).prop_map(|(latency_ns, bytes_per_second)| Links {
        latency_ns,
        bytes_per_second,
    })
}

/// Without what tells the two ways apart.
fn essence(simulation: Simulation) -> Simulation {
    Simulation {
        walked_actions: 0,
        timeline: None,
        ..simulation
    }
}

fn check(
    method: &Method,
    plan: &Plan,
    costs: &[ModuleCosts],
    links: Links,
    capacity: usize,
) -> Result<(), TestCaseError> {
    let options = SimulationOptions {
        links,
        capacity: NonZeroUsize::new(capacity).unwrap(),
        ..SimulationOptions::default()
    };
    let walked = SimulationOptions {
        timeline: true,
        ..options.clone()
    };
    let short = simulate_plan(method, plan, costs, &options).unwrap();
    let program = method.program(plan).unwrap();
    let whole = simulate(&program, costs, &options).unwrap();
    let walked = simulate(&program, costs, &walked).unwrap();
    prop_assert_eq!(walked.walked_actions as usize, program.len());
    prop_assert_eq!(short.walked_actions, whole.walked_actions);
    let walked = essence(walked);
    prop_assert_eq!(&essence(short), &walked, "{:?}", plan);
    prop_assert_eq!(&essence(whole), &walked, "{:?}", plan);
    Ok(())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_short_answer_equals_the_whole_walk(
        (method, order) in proptest::sample::select(common::variants()),
        modules in 1usize..=8,
        batches in 0u32..=200,
        micro in 1u16..=4,
        accumulate in 1u32..=3,
        most in prop_oneof![Just(3u64), Just(50), Just(100_000)],
        seeds in proptest::collection::vec(costs(100_000), 8),
        links in links(),
        capacity in 1usize..=4,
    ) {
        // Small ranges make balanced modules and ties likely.
        let smaller = |c: &ModuleCosts| ModuleCosts {
            forward_ns: c.forward_ns % most,
            backward_ns: c.backward_ns % most,
            recompute_ns: c.recompute_ns % most,
            ..*c
        };
        let costs: Vec<_> = seeds[..modules].iter().map(smaller).collect();
        let plan = common::plan(method, order, modules, batches, micro, accumulate);
        check(method, &plan, &costs, links, capacity)?;
    }

}

proptest! {
    #![proptest_config(config(40))]

    /// Nearly balanced modules take long to settle: one worker catches up with another by a nanosecond a batch.
    #[test]
    fn slow_transients_are_exact(
        (method, order) in proptest::sample::select(common::variants()),
        modules in 1usize..=5,
        batches in 0u32..=2000,
        extra in proptest::collection::vec((0u64..4, 0u64..4), 5),
        capacity in 1usize..=9,
    ) {
        let costs: Vec<_> = extra[..modules]
            .iter()
            .map(|(f, b)| ModuleCosts::times(1000 + f, 1500 + b))
            .collect();
        let plan = common::plan(method, order, modules, batches, 1, 1);
        check(method, &plan, &costs, Links::default(), capacity)?;
    }
}

proptest! {
    #![proptest_config(config(100))]

    /// Also in a program that is given, whoever made it, repetitions are skipped.
    #[test]
    fn given_programs_are_skipped_through(
        (_, _, program) in common::programs(6, 120, 4),
        costs in proptest::collection::vec(costs(50), 6),
        links in links(),
    ) {
        let costs = &costs[..program.modules()];
        let options = SimulationOptions { links, ..SimulationOptions::default() };
        let walked = SimulationOptions { timeline: true, ..options.clone() };
        let short = simulate(&program, costs, &options).unwrap();
        prop_assert_eq!(essence(short), essence(simulate(&program, costs, &walked).unwrap()));
    }
}

/// A million batches are answered from a few dozen, and are where the steady state puts them.
#[test]
fn a_million_batches() {
    for (method, order) in common::variants() {
        let costs = [(30, 70), (45, 61), (52, 90), (17, 33)].map(|(f, b)| ModuleCosts::times(f, b));
        let run = |batches: u32| {
            let plan = Plan::new(4, batches).order(order);
            simulate_plan(method, &plan, &costs, &SimulationOptions::default()).unwrap()
        };
        let (short, long) = (run(1_000), run(1_000_000));
        assert_eq!(long.steady, short.steady, "{} {order}", method.name);
        let steady = long.steady.unwrap();
        assert_eq!(999_000 % steady.batches, 0);
        let periods = 999_000 / steady.batches;
        assert_eq!(long.makespan_ns, short.makespan_ns + periods * steady.ns);
        assert_eq!((long.fill_ns, long.drain_ns), (short.fill_ns, short.drain_ns));
        assert!(long.walked_actions < 20_000, "{} {order}", method.name);
        assert_eq!(long.actions, short.actions * 1000);
    }
}
