//! The simulator reproduces the cost model: time per batch and memory of every method, from programs and costs alone.

mod common;

use dtrp_core::costs::{BlockCost, Costs, ModuleCosts};
use dtrp_core::schedule::{Method, Order, Plan, Program};
use dtrp_core::simulate::{
    Jitter, Links, SimulateError, Simulation, SimulationOptions, Sweep, simulate, simulate_plan, sweep,
};
use proptest::prelude::*;
use std::num::NonZeroUsize;

fn method(name: &str) -> &'static Method {
    Method::named(name).unwrap()
}

fn program(name: &str, plan: &Plan) -> Program {
    method(name).program(plan).unwrap()
}

/// An even split: every module takes `forward` and `backward`.
fn even(modules: usize, forward: u64, backward: u64) -> Vec<ModuleCosts> {
    vec![ModuleCosts::times(forward, backward); modules]
}

fn roomy() -> SimulationOptions {
    SimulationOptions {
        capacity: NonZeroUsize::new(8).unwrap(),
        ..SimulationOptions::default()
    }
}

fn run(name: &str, plan: &Plan, costs: &[ModuleCosts], options: &SimulationOptions) -> Simulation {
    simulate(&program(name, plan), costs, options).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Time per batch of the contract's cost model, for K modules, m micro-batches, T_f and T_b.
fn formula(name: &str, k: u64, m: u64, f: u64, b: u64) -> u64 {
    match name {
        "bp" => k * (f + b),
        "gpipe" | "1f1b" => (m + k - 1) * (f + b) / m,
        "ddg" => k * f + b,
        "features-replay" => k * f + f + b,
        "fdg" | "pipedream" | "spectrain" | "local" => f + b,
        "dsp" | "dtrp" => 2 * f + b,
        other => panic!("no formula for {other}"),
    }
}

#[test]
fn time_per_batch_is_that_of_the_cost_model() {
    for (method, order) in common::variants() {
        for k in 2..=6 {
            for (f, b) in [(12, 24), (60, 60), (120, 60), (12, 60)] {
                for m in [1, 4] {
                    let plan = common::plan(method, order, k, 60, m, 1);
                    let result = run(method.name, &plan, &even(k, f, b), &roomy());
                    let steady = result
                        .steady
                        .unwrap_or_else(|| panic!("{} {order} K = {k}: no steady state", method.name));
                    let m = u64::from(plan.micro_batches);
                    let expected = formula(method.name, k as u64, m, f, b);
                    assert_eq!(
                        steady.ns,
                        expected * steady.batches,
                        "{} {order} K = {k} T_f = {f} T_b = {b} m = {m}",
                        method.name
                    );
                }
            }
        }
    }
}

/// Bytes of one input and one graph, told apart by their size.
const INPUT: u64 = 1_000_000;
const GRAPH: u64 = 1;

#[test]
fn memory_is_that_of_the_cost_model() {
    for (method, order) in common::variants() {
        for modules in 1..=6 {
            let plan = common::plan(method, order, modules, 40, 4, 1);
            let costs = ModuleCosts {
                input_bytes: INPUT,
                activation_bytes: 4 * GRAPH,
                parameter_bytes: 5,
                optimizer_bytes: 11,
                ..ModuleCosts::times(3, 5)
            };
            // Whole batches, as in the table, but for the methods that are nothing without micro-batches.
            let flushed = ["gpipe", "1f1b"].contains(&method.name);
            let plan = if flushed { plan } else { plan.micro_batches(1) };
            let result = run(method.name, &plan, &vec![costs; modules], &roomy());
            for (k, worker) in (1..).zip(&result.workers) {
                let above = (modules - k) as u64;
                let graph = 4 * GRAPH;
                let (inputs, graphs) = match (method.name, order) {
                    ("bp" | "local" | "gpipe", _) => (0, graph),
                    ("1f1b", _) => (0, (above + 1).min(4) * GRAPH),
                    ("ddg" | "pipedream" | "spectrain", _) => (0, (above + 1) * graph),
                    ("fdg", _) => (0, (2 * above).max(1) * graph),
                    // The last module does not recompute: it has only the graph.
                    _ if above == 0 => (0, graph),
                    ("dtrp" | "dsp", Order::Lockstep) => (2 * above * INPUT, graph),
                    _ => ((above + 1) * INPUT, graph),
                };
                let what = format!("{} {order} worker {k} of {modules}", method.name);
                assert_eq!(worker.memory.inputs, inputs, "{what}");
                assert_eq!(worker.memory.graphs, graphs, "{what}");
                assert_eq!(worker.memory.activations, inputs + graphs, "{what}");
                let versions = match method.name {
                    "ddg" | "pipedream" | "spectrain" => above + 1,
                    "fdg" => (2 * above).max(1),
                    _ => 1,
                };
                let predicted = ["dtrp", "spectrain"].contains(&method.name) && above > 0;
                let weights = 5 * (versions + u64::from(predicted));
                assert_eq!(worker.memory.weights, weights, "{what}");
                assert_eq!(worker.memory.peak, inputs + graphs + weights + 11, "{what}");
            }
        }
    }
}

/// The split that the contract names for K = 2 and T_b = 2 T_f: three blocks against four makes 1.75 of 1.5.
#[test]
fn a_balanced_cut_is_faster_than_an_even_one() {
    let block = |name: usize| BlockCost {
        name: format!("block {name}"),
        forward_ns: 100,
        backward_ns: 200,
        ..BlockCost::default()
    };
    let costs = Costs {
        batch_size: Some(32),
        blocks: (0..14).map(block).collect(),
    };
    let speedup = |ranges: &[std::ops::Range<usize>]| {
        let modules = costs.modules(ranges).unwrap();
        let result = run("dtrp", &Plan::new(2, 30), &modules, &roomy());
        assert!(result.steady.is_some());
        14.0 * 300.0 / result.batch_ns
    };
    assert_eq!(speedup(&[0..7, 7..14]), 1.5);
    assert_eq!(speedup(&[0..6, 6..14]), 1.75);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_numbers_fit_together(
        (_, plan, program) in common::programs(6, 30, 4),
        times in proptest::collection::vec((0u64..500, 0u64..500, 0u64..50), 6),
        seed in any::<u64>(),
        std in 0.0f64..0.5,
        stragglers in 0.0f64..0.2,
    ) {
        let module = |(f, b, u): &(u64, u64, u64)| ModuleCosts { update_ns: *u, ..ModuleCosts::times(*f, *b) };
        let costs: Vec<_> = times[..plan.modules].iter().map(module).collect();
        let jitter = Jitter { seed, relative_std: std, straggler_probability: stragglers, straggler_factor: 4.0 };
        let options = SimulationOptions { jitter: Some(jitter), timeline: true, ..SimulationOptions::default() };
        let result = simulate(&program, &costs, &options).unwrap();
        prop_assert_eq!(&simulate(&program, &costs, &options).unwrap(), &result);
        prop_assert_eq!(result.actions as usize, program.len());
        prop_assert!((result.utilisation + result.bubble - 1.0).abs() < 1e-12);
        let timeline = result.timeline.as_ref().unwrap();
        prop_assert_eq!(timeline.end().as_nanos(), u128::from(result.makespan_ns));
        for (k, worker) in (1..).zip(&result.workers) {
            prop_assert_eq!(timeline.busy(k).as_nanos(), u128::from(worker.busy_ns));
            prop_assert!((0.0..=1.0).contains(&worker.utilisation));
            let actions: Vec<_> = timeline.workers()[k - 1].iter().map(|e| e.action).collect();
            prop_assert_eq!(&actions, &program.workers[k - 1]);
        }
        prop_assert!(result.drain_ns <= result.makespan_ns && result.fill_ns <= result.makespan_ns);
    }

    /// What an action takes does not depend on the method or order in which it runs, only on what it is.
    #[test]
    fn jitter_belongs_to_the_action(seed in any::<u64>()) {
        let options = SimulationOptions {
            jitter: Some(Jitter { seed, relative_std: 0.3, straggler_probability: 0.1, straggler_factor: 3.0 }),
            timeline: true,
            ..SimulationOptions::default()
        };
        let durations = |name: &str, order: Order| {
            let program = program(name, &Plan::new(3, 12).order(order));
            let timeline = simulate(&program, &even(3, 1000, 3000), &options).unwrap().timeline.unwrap();
            let all = timeline.workers().iter().enumerate().flat_map(|(k, events)| {
                let computed = events.iter().filter(|e| e.action.op == dtrp_core::schedule::Op::Backward);
                computed.map(move |e| (k, e.action.unit, e.end - e.begin)).collect::<Vec<_>>()
            });
            let mut all: Vec<_> = all.collect();
            all.sort();
            all
        };
        let reference = durations("dtrp", Order::Lockstep);
        prop_assert_eq!(&durations("dtrp", Order::Eager), &reference);
        prop_assert_eq!(&durations("bp", Order::Synchronous), &reference);
    }
}

/// Mean and deviation of jitter, and how often stragglers come.
#[test]
fn jitter_has_the_given_moments() {
    let durations = |jitter: Jitter| -> Vec<f64> {
        let options = SimulationOptions {
            jitter: Some(jitter),
            timeline: true,
            ..SimulationOptions::default()
        };
        let program = program("bp", &Plan::new(1, 20_000));
        let result = simulate(&program, &even(1, 1_000_000, 1_000_000), &options).unwrap();
        let timeline = result.timeline.unwrap();
        let computed = timeline.workers()[0].iter();
        let computed = computed.filter(|e| e.action.op != dtrp_core::schedule::Op::Update);
        computed.map(|e| (e.end - e.begin).as_secs_f64() * 1e3).collect()
    };
    let normal = durations(Jitter {
        relative_std: 0.2,
        ..Jitter::default()
    });
    let mean = normal.iter().sum::<f64>() / normal.len() as f64;
    let variance = normal.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / normal.len() as f64;
    assert!((mean - 1.0).abs() < 0.005, "mean {mean}");
    assert!((variance.sqrt() - 0.2).abs() < 0.005, "std {}", variance.sqrt());
    let stragglers = durations(Jitter {
        straggler_probability: 0.05,
        straggler_factor: 7.0,
        ..Jitter::default()
    });
    let slow = stragglers.iter().filter(|d| **d > 6.9).count() as f64 / 40_000.0;
    assert!((slow - 0.05).abs() < 0.005, "stragglers {slow}");
    assert!(stragglers.iter().all(|d| *d == 1.0 || *d == 7.0));
}

#[test]
fn links_take_time() {
    // Two modules that pass 1000 bytes: bp waits for each message up and down.
    let costs = vec![
        ModuleCosts {
            input_bytes: 1000,
            ..ModuleCosts::times(10, 20)
        };
        2
    ];
    let time = |latency_ns, bytes_per_second| {
        let options = SimulationOptions {
            links: Links {
                latency_ns,
                bytes_per_second,
            },
            ..SimulationOptions::default()
        };
        run("bp", &Plan::new(2, 20), &costs, &options).batch_ns
    };
    assert_eq!(time(0, None), 60.0);
    assert_eq!(time(7, None), 74.0);
    assert_eq!(time(7, Some(1_000_000_000)), 60.0 + 2.0 * 1007.0);
    // Rounded up to whole nanoseconds.
    assert_eq!(time(0, Some(999_999_999_999)), 64.0);
}

#[test]
fn costs_are_plain_data() {
    let json = r#"{"batch_size": 128, "blocks": [
        {"name": "stem", "forward_ns": 5, "backward_ns": 7, "input_bytes": 3, "activation_bytes": 11},
        {"forward_ns": 50, "backward_ns": 70, "recompute_ns": 40, "update_ns": 1, "auxiliary_ns": 9, "parameter_bytes": 4}]}"#;
    let costs: Costs = serde_json::from_str(json).unwrap();
    let expected = ModuleCosts {
        forward_ns: 55,
        backward_ns: 77,
        recompute_ns: 45,
        update_ns: 1,
        predict_ns: 0,
        auxiliary_ns: 9,
        input_bytes: 3,
        activation_bytes: 11,
        parameter_bytes: 4,
        optimizer_bytes: 0,
    };
    let whole = 0..2;
    assert_eq!(costs.modules(std::slice::from_ref(&whole)).unwrap(), [expected]);
    let text = serde_json::to_string(&costs).unwrap();
    assert_eq!(serde_json::from_str::<Costs>(&text).unwrap(), costs);
    let wrong: [&[(usize, usize)]; 5] = [&[], &[(0, 1)], &[(0, 1), (0, 2)], &[(0, 0), (0, 2)], &[(0, 3)]];
    for wrong in wrong {
        let ranges: Vec<_> = wrong.iter().map(|(start, end)| *start..*end).collect();
        let error = costs.modules(&ranges).unwrap_err();
        assert!(error.to_string().contains("do not cut 2 blocks"), "{error}");
    }
}

/// Everything that can be asked for wrongly is refused with a sentence that helps.
#[test]
fn refusals_say_what_to_do() {
    let dtrp = method("dtrp");
    let plan = Plan::new(2, 10);
    let check = |plan: &Plan, costs: &[ModuleCosts], options: SimulationOptions, says: &str| {
        let error: SimulateError = simulate_plan(dtrp, plan, costs, &options).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    };
    let costs = even(2, 10, 20);
    check(
        &plan,
        &costs[..1],
        SimulationOptions::default(),
        "2 modules, but there are costs of 1",
    );
    check(
        &Plan::new(0, 10),
        &[],
        SimulationOptions::default(),
        "modules must be at least 1",
    );
    let accumulate = plan.clone().accumulate(2);
    check(&accumulate, &costs, SimulationOptions::default(), "has no accumulation");
    let slow = Links {
        bytes_per_second: Some(0),
        ..Links::default()
    };
    let options = SimulationOptions {
        links: slow,
        ..SimulationOptions::default()
    };
    check(&plan, &costs, options, "bytes_per_second is 0");
    let jitter = |jitter| SimulationOptions {
        jitter: Some(jitter),
        ..SimulationOptions::default()
    };
    let wild = Jitter {
        relative_std: f64::NAN,
        ..Jitter::default()
    };
    check(&plan, &costs, jitter(wild), "relative_std is NaN");
    let fast = Jitter {
        straggler_factor: 0.5,
        ..Jitter::default()
    };
    check(&plan, &costs, jitter(fast), "from 1 to");
    check(&plan, &even(2, u64::MAX, 1), SimulationOptions::default(), "292 years");
    let many = Plan::new(2, 4_000_000_000);
    let drawn = SimulationOptions {
        timeline: true,
        ..SimulationOptions::default()
    };
    check(&many, &costs, drawn, "no timeline");
    let endless = SimulationOptions {
        capacity: NonZeroUsize::MAX,
        ..SimulationOptions::default()
    };
    check(&many, &costs, endless, "smaller capacity");
}

/// A program whose slots cannot be kept: worker 1 may do its second forward only after a backward of the same slot.
#[test]
fn impossible_slots_are_named() {
    let mut program = program("bp", &Plan::new(2, 5));
    program.order = Order::Sweep;
    let error = simulate(&program, &even(2, 10, 20), &SimulationOptions::default()).unwrap_err();
    assert!(matches!(error, SimulateError::Stuck { .. }), "{error}");
    assert!(error.to_string().contains("wait for one another"), "{error}");
}

#[test]
fn a_sweep_is_one_table() {
    let wanted = Sweep {
        methods: vec![method("bp"), method("gpipe"), method("dtrp")],
        orders: vec![],
        modules: vec![2, 4],
        micro_batches: vec![1, 4],
        batches: 100,
    };
    let options = SimulationOptions {
        batch_size: Some(64),
        ..SimulationOptions::default()
    };
    let costs = |_: &Method, k: usize| {
        let each = |ns| ns / k as u64;
        let module = ModuleCosts {
            parameter_bytes: each(4_000_000),
            activation_bytes: each(80_000_000),
            input_bytes: 1_000_000,
            ..ModuleCosts::times(each(12_000_000), each(24_000_000))
        };
        Ok::<_, SimulateError>(vec![module; k])
    };
    let comparison = sweep(&wanted, costs, &options).unwrap();
    insta::assert_snapshot!(comparison);
    assert_eq!(comparison.rows.len(), 2 * (1 + 2 + 4));
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["rows"][0]["method"], "bp");
    let plan = Plan::new(2, 100);
    let costs = costs(method("dtrp"), 2).unwrap();
    insta::assert_snapshot!(simulate_plan(method("dtrp"), &plan, &costs, &options).unwrap());
}
