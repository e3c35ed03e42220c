//! What is counted from the programs equals the formulas of the papers, for any K and N, also N smaller than the pipeline.

mod common;

use dtrp_core::analysis::{ProgramReport, analyse};
use dtrp_core::schedule::{Action, Method, Op, Order, Plan, Program, Recompute, ScheduleError, Slots, Unit};
use proptest::prelude::*;
use std::num::NonZeroUsize;

fn report(program: &Program) -> ProgramReport {
    analyse(program, NonZeroUsize::MIN).unwrap_or_else(|fault| panic!("{fault}\n{program}"))
}

/// How far a unit's forward runs ahead of its backward at worker k of K, in units: the delay of each method.
fn lag(program: &Program, k: usize) -> usize {
    let above = program.modules() - k;
    match (program.method.as_str(), program.order) {
        ("bp" | "local", _) => 0,
        ("gpipe", _) => usize::from(program.micro_batches) - 1,
        ("1f1b", _) => above.min(usize::from(program.micro_batches) - 1),
        (_, Order::Lockstep) => 2 * above,
        _ => above,
    }
}

/// Staleness of unit i (from 0) at a worker with this lag, when it updates after every unit: the backwards between the
/// forward and the backward of i. In lockstep the backward of a slot comes before its forward, so one of them is over.
fn staleness(i: usize, lag: usize, backward_first: bool) -> usize {
    let made_before_forward = if backward_first {
        (i + 1).saturating_sub(lag)
    } else {
        i.saturating_sub(lag)
    };
    i - made_before_forward
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn derived_numbers_equal_the_formulas((method, plan, program) in common::programs(12, 40, 1)) {
        let report = report(&program);
        let n = plan.batches as usize;
        for (k, worker) in (1..).zip(&report.workers) {
            let lag = lag(&program, k);
            let last = k == program.modules();
            let recomputes = match plan.recompute.get(k - 1) {
                _ if last => false,
                Some(choice) => *choice == Recompute::Full,
                None => ["dtrp", "dsp", "features-replay"].contains(&method.name),
            };
            if let Some(own) = method.recompute.filter(|_| plan.recompute.is_empty() && !last) {
                prop_assert_eq!(own == Recompute::Full, recomputes);
            }
            let held = match program.order {
                Order::Lockstep => lag.max(1).min(n),
                _ => (lag + 1).min(n),
            };
            prop_assert_eq!(worker.stored_inputs, if recomputes { held } else { 0 });
            prop_assert_eq!(worker.live_graphs, if recomputes { n.min(1) } else { held });
            if plan.accumulate == 1 {
                let first = program.order == Order::Lockstep && !last;
                let expected: Vec<_> = (0..n).map(|i| (Unit::batch(i as u32 + 1), staleness(i, lag, first) as u32)).collect();
                prop_assert_eq!(&worker.staleness, &expected);
                prop_assert_eq!(worker.updates as usize, n);
                prop_assert_eq!(&worker.horizons, &match method.name {
                    "dtrp" | "spectrain" if !last => expected,
                    _ => vec![],
                });
                // The steady state; a short program may drain before it is reached.
                let versions = match (recomputes, program.order) {
                    (true, _) | (_, Order::Synchronous) => 1,
                    (false, Order::Lockstep) => lag.max(1),
                    (false, _) => lag + 1,
                };
                prop_assert!(worker.weight_versions <= versions);
                if n >= 2 * lag + 2 {
                    prop_assert_eq!(worker.weight_versions, versions);
                }
            }
            let gradients = usize::from(method.gradients && k > 1);
            prop_assert_eq!(worker.messages, n * (usize::from(!last) + gradients));
        }
    }

    #[test]
    fn lockstep_slots_are_the_published_ones(modules in 1usize..=8, batches in 1u32..=20) {
        let program = Method::named("dtrp").unwrap().program(&Plan::new(modules, batches)).unwrap();
        let slots = Slots::of(&program);
        for k in 1..=modules {
            for (index, action) in program.workers[k - 1].iter().enumerate() {
                let (b, k, all) = (action.unit.batch as usize, k, modules);
                let expected = match action.op {
                    Op::Forward | Op::ForwardGraph => b + k - 1,
                    Op::Recompute | Op::Backward | Op::Update => b + 2 * all - k - 1,
                    _ => continue,
                };
                prop_assert_eq!(slots.slot(k, index) as usize, expected, "worker {} {}", k, action);
            }
        }
    }

    #[test]
    fn micro_batches_divide_the_staleness(modules in 1usize..=8, batches in 0u32..=10, m in 1u16..=6) {
        let plan = Plan::new(modules, batches).order(Order::Eager).micro_batches(m);
        let report = report(&Method::named("dtrp").unwrap().program(&plan).unwrap());
        for (k, worker) in (1..).zip(&report.workers) {
            let above = modules - k;
            prop_assert!(worker.max_staleness() as usize <= above.div_ceil(usize::from(m)));
            prop_assert!(worker.stored_inputs <= above + 1);
        }
    }
}

#[test]
fn dsp_is_dtrp_without_horizons() {
    for order in [Order::Lockstep, Order::Eager] {
        let program = |name: &str| {
            Method::named(name)
                .unwrap()
                .program(&Plan::new(4, 9).order(order))
                .unwrap()
        };
        let mut stripped = program("dtrp");
        let strip = |action: &mut Action| action.horizon = None;
        stripped.workers.iter_mut().flatten().for_each(strip);
        stripped.method = "dsp".to_owned();
        assert_eq!(stripped, program("dsp"));
    }
}

/// What is recomputed is all that tells these methods apart: each with the other's choice is the other.
#[test]
fn methods_differ_by_what_they_recompute() {
    let program = |name: &str, order: Order, choice: Option<Recompute>| {
        let plan = Plan::new(4, 9)
            .order(order)
            .recompute(vec![choice; 4].into_iter().flatten().collect::<Vec<_>>());
        Method::named(name).unwrap().program(&plan).unwrap().workers
    };
    for (full, none, orders) in [
        ("dtrp", "spectrain", [Order::Eager; 2]),
        ("dsp", "pipedream", [Order::Eager; 2]),
        ("dsp", "fdg", [Order::Lockstep; 2]),
        ("features-replay", "ddg", [Order::Sweep; 2]),
    ] {
        let [of_full, of_none] = orders;
        let both = [program(full, of_full, None), program(none, of_none, None)];
        assert_eq!(program(full, of_full, Some(Recompute::None)), both[1], "{full} {none}");
        assert_eq!(program(none, of_none, Some(Recompute::Full)), both[0], "{full} {none}");
        assert_eq!(program(full, of_full, Some(Recompute::Full)), both[0], "{full}");
        assert_eq!(program(none, of_none, Some(Recompute::None)), both[1], "{none}");
    }
}

#[test]
fn what_is_recomputed_is_said_of_each_module() {
    let program = |name: &str, choices: usize| {
        let plan = Plan::new(3, 2).recompute(vec![Recompute::Full; choices]);
        Method::named(name).unwrap().program(&plan)
    };
    assert!(program("dtrp", 3).is_ok());
    assert_eq!(program("dtrp", 2), Err(ScheduleError::Choices { given: 2, modules: 3 }));
    assert!(matches!(
        program("bp", 3),
        Err(ScheduleError::Recompute { method: "bp", .. })
    ));
}

/// ADL's published levels of staleness, in updates, for K = 3 in the backward-first order (mean over the steady state).
#[test]
fn accumulation_divides_the_staleness() {
    for (accumulate, expected) in [(1, [3.0, 1.0, 0.0]), (2, [1.5, 0.5, 0.0]), (4, [0.75, 0.25, 0.0])] {
        let plan = Plan::new(3, 44).accumulate(accumulate);
        let report = report(&Method::named("fdg").unwrap().program(&plan).unwrap());
        for (worker, expected) in report.workers.iter().zip(expected) {
            let steady = &worker.staleness[8..40];
            let mean = steady.iter().map(|(_, s)| f64::from(*s)).sum::<f64>() / steady.len() as f64;
            assert_eq!(mean, expected, "M = {accumulate}: {steady:?}");
        }
    }
}
