//! The partitioner against trying out every partition, against the simulator, and against sums by hand.

use dtrp_core::costs::{BlockCost, Costs, Load, Memory, ModuleCosts};
use dtrp_core::partition::{PartitionError, partition, partition_among};
use dtrp_core::schedule::{Method, Order, Plan, Recompute};
use dtrp_core::simulate;
use proptest::prelude::*;
use std::ops::Range;

/// Every way to cut, the lowest cuts first.
fn all(blocks: usize, modules: usize, from: usize) -> Vec<Vec<Range<usize>>> {
    if modules == 1 {
        return vec![std::iter::once(from..blocks).collect()];
    }
    let ends = from + 1..=blocks - (modules - 1);
    let rest = |end| all(blocks, modules - 1, end).into_iter().map(move |r| (end, r));
    ends.flat_map(rest)
        .map(|(end, mut rest)| {
            rest.insert(0, from..end);
            rest
        })
        .collect()
}

/// A module's nanoseconds over the whole program, times the micro-batches, and its bytes; spelt out.
fn weigh(load: &Load, costs: &ModuleCosts) -> (u128, u64) {
    let [f, b, r, u, p, a] = [
        costs.forward_ns,
        costs.backward_ns,
        costs.recompute_ns,
        costs.update_ns,
        costs.predict_ns,
        costs.auxiliary_ns,
    ]
    .map(u128::from);
    let n = |count: usize| count as u128;
    let m = u128::from(load.micro_batches);
    let time = n(load.forwards) * f
        + n(load.auxiliary) * a
        + n(load.recomputations) * r
        + n(load.backwards) * b
        + n(load.predictions) * p
        + m * n(load.updates) * u;
    let part = |bytes: u64| bytes.div_ceil(u64::from(load.micro_batches));
    let memory = load.stored_inputs as u64 * part(costs.input_bytes)
        + load.live_graphs as u64 * part(costs.activation_bytes)
        + load.weight_copies as u64 * costs.parameter_bytes
        + costs.optimizer_bytes;
    (time, memory)
}

/// The best of all partitions within the budget, by slowest worker, then evenness, then cuts; and the least budget.
fn brute(costs: &Costs, loads: &[Load], budget: Option<u64>) -> Result<Vec<Range<usize>>, u64> {
    let mut least = u64::MAX;
    let mut found: Option<(_, Vec<Range<usize>>)> = None;
    for ranges in all(costs.blocks.len(), loads.len(), 0) {
        let modules = costs.modules(&ranges).unwrap();
        let weighed: Vec<_> = loads.iter().zip(&modules).map(|(l, m)| weigh(l, m)).collect();
        let memory = weighed.iter().map(|(_, memory)| *memory).max().unwrap();
        least = least.min(memory);
        if budget.is_some_and(|budget| memory > budget) {
            continue;
        }
        let slowest = weighed.iter().map(|(time, _)| *time).max().unwrap();
        let squares: u128 = weighed.iter().map(|(time, _)| time * time).sum();
        if found.as_ref().is_none_or(|(best, _)| (slowest, squares) < *best) {
            found = Some(((slowest, squares), ranges));
        }
    }
    found.map(|(_, ranges)| ranges).ok_or(least)
}

fn blocks() -> impl Strategy<Value = Vec<BlockCost>> {
    // Few different values, so that there are ties.
    let times = (
        0u64..6,
        0u64..8,
        proptest::option::of(0u64..6),
        0u64..3,
        0u64..3,
        0u64..9,
    );
    let bytes = (0u64..9, 0u64..9, 0u64..9, 0u64..5);
    let block = (times, bytes).prop_map(|((f, b, r, u, p, a), (input, graph, weights, optimizer))| BlockCost {
        name: String::new(),
        forward_ns: f,
        backward_ns: b,
        recompute_ns: r,
        update_ns: u,
        predict_ns: p,
        auxiliary_ns: a,
        input_bytes: input,
        activation_bytes: graph,
        parameter_bytes: weights,
        optimizer_bytes: optimizer,
    });
    proptest::collection::vec(block, 1..10)
}

/// Every method in every order, also with micro-batches where it has them.
fn plans(modules: usize) -> Vec<(&'static Method, Plan)> {
    let orders = |method: &&'static Method| {
        let method = *method;
        method.orders.iter().map(move |order| (method, *order))
    };
    let plan = |(method, order): (&'static Method, Order)| {
        let plan = Plan::new(modules, 12).order(order);
        let split = method.micro_batches.then(|| (method, plan.clone().micro_batches(3)));
        std::iter::once((method, plan)).chain(split)
    };
    Method::all().iter().flat_map(orders).flat_map(plan).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_is_the_best_of_all_partitions(
        blocks in blocks(),
        modules in 0usize..5,
        choice in any::<prop::sample::Index>(),
        budget in proptest::option::of(0u64..150),
    ) {
        let modules = 1 + modules % blocks.len();
        let costs = Costs { batch_size: None, blocks };
        let plans = plans(modules);
        let (method, plan) = choice.get(&plans);
        let loads = Load::of(&method.program(plan).unwrap()).unwrap();
        match (partition(&costs, &loads, budget), brute(&costs, &loads, budget)) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(&ours.modules, &theirs);
                let modules = costs.modules(&theirs).unwrap();
                let memory: Vec<_> = loads.iter().zip(&modules).map(|(l, m)| weigh(l, m).1).collect();
                prop_assert_eq!(ours.memory, memory);
            }
            (Err(PartitionError::Memory { least, .. }), Err(theirs)) => prop_assert_eq!(least, theirs),
            (ours, theirs) => prop_assert!(false, "{:?} and {:?}", ours, theirs),
        }
    }
}

/// The best over every way to cut and every choice of each module, by slowest worker, then evenness; and the least budget.
fn brute_among(costs: &Costs, programs: &[Vec<Load>], budget: Option<u64>) -> Result<(u128, u128), u64> {
    let (mut least, mut found) = (u64::MAX, None::<(u128, u128)>);
    let modules = programs[0].len();
    for ranges in all(costs.blocks.len(), modules, 0) {
        let costs = costs.modules(&ranges).unwrap();
        for choice in 0..programs.len().pow(modules as u32) {
            let of = |k: usize| choice / programs.len().pow(k as u32) % programs.len();
            let weighed: Vec<_> = costs
                .iter()
                .enumerate()
                .map(|(k, m)| weigh(&programs[of(k)][k], m))
                .collect();
            let memory = weighed.iter().map(|(_, memory)| *memory).max().unwrap();
            least = least.min(memory);
            if budget.is_none_or(|budget| memory <= budget) {
                let slowest = weighed.iter().map(|(time, _)| *time).max().unwrap();
                let squares: u128 = weighed.iter().map(|(time, _)| time * time).sum();
                found = Some(found.map_or((slowest, squares), |best| best.min((slowest, squares))));
            }
        }
    }
    found.ok_or(least)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cuts_and_choices_are_the_best_together(
        blocks in blocks(),
        modules in 0usize..4,
        choice in any::<prop::sample::Index>(),
        budget in proptest::option::of(0u64..150),
    ) {
        let modules = 1 + modules % blocks.len();
        let costs = Costs { batch_size: None, blocks };
        let plans: Vec<_> = plans(modules).into_iter().filter(|(method, _)| method.recompute.is_some()).collect();
        let (method, plan) = choice.get(&plans);
        let programs = Recompute::ALL.map(|all| {
            let plan = plan.clone().recompute(vec![all; modules]);
            Load::of(&method.program(&plan).unwrap()).unwrap()
        });
        let slices: Vec<&[Load]> = programs.iter().map(Vec::as_slice).collect();
        match (partition_among(&costs, modules, &slices, budget), brute_among(&costs, &programs, budget)) {
            (Ok(ours), Ok(theirs)) => {
                let costs = costs.modules(&ours.modules).unwrap();
                let weighed: Vec<_> = ours.choices.iter().zip(&costs).enumerate()
                    .map(|(k, (choice, costs))| weigh(&programs[*choice][k], costs)).collect();
                let slowest = weighed.iter().map(|(time, _)| *time).max().unwrap();
                let squares: u128 = weighed.iter().map(|(time, _)| time * time).sum();
                prop_assert_eq!((slowest, squares), theirs);
                let memory: Vec<_> = weighed.iter().map(|(_, memory)| *memory).collect();
                prop_assert_eq!(&ours.memory, &memory);
                // The program with these choices has these loads.
                let chosen: Vec<_> = ours.choices.iter().map(|choice| Recompute::ALL[*choice]).collect();
                let loads = Load::of(&method.program(&plan.clone().recompute(chosen)).unwrap()).unwrap();
                for (k, load) in loads.iter().enumerate() {
                    prop_assert_eq!(load, &programs[ours.choices[k]][k]);
                }
            }
            (Err(PartitionError::Memory { least, .. }), Err(theirs)) => prop_assert_eq!(least, theirs),
            (ours, theirs) => prop_assert!(false, "{:?} and {:?}", ours, theirs),
        }
    }
}

#[test]
fn the_last_module_carries_more_because_it_does_not_recompute() {
    // T_b = 2 T_f: seven blocks of 3 take one worker 21. Method, modules, cuts, the slowest worker.
    for (method, modules, cuts, slowest) in [
        ("dtrp", 2, vec![3], 12.0),
        ("fdg", 2, vec![3], 12.0),
        ("dtrp", 3, vec![2, 4], 9.0),
        ("fdg", 3, vec![2, 4], 9.0),
        ("dtrp", 1, vec![], 21.0),
    ] {
        let block = BlockCost {
            forward_ns: 1,
            backward_ns: 2,
            ..BlockCost::default()
        };
        let costs = Costs {
            batch_size: None,
            blocks: vec![block; 7],
        };
        let program = Method::named(method).unwrap().program(&Plan::new(modules, 40)).unwrap();
        let best = partition(&costs, &Load::of(&program).unwrap(), None).unwrap();
        assert_eq!(
            (best.cuts(), best.slowest_ns()),
            (cuts, slowest),
            "{method} K={modules}"
        );
    }
}

#[test]
fn the_memory_is_never_below_the_simulators_peak() {
    let costs = ModuleCosts {
        input_bytes: 1000,
        activation_bytes: 30_000,
        parameter_bytes: 700,
        optimizer_bytes: 1400,
        ..ModuleCosts::times(10, 20)
    };
    for modules in 1..=5 {
        for (method, plan) in plans(modules) {
            let program = method.program(&plan).unwrap();
            let options = simulate::SimulationOptions::default();
            let simulated = simulate::simulate(&program, &vec![costs; modules], &options).unwrap();
            let followed = Memory::of(&program, &vec![costs; modules]);
            let peaks: Vec<_> = simulated.workers.iter().map(|worker| worker.memory).collect();
            assert_eq!(followed, peaks, "{} {plan:?}", method.name);
            for (load, worker) in Load::of(&program).unwrap().iter().zip(&simulated.workers) {
                let (ours, peak) = (load.memory(&costs).peak, worker.memory.peak);
                assert!(ours >= peak, "{} {plan:?}: {ours} < {peak}", method.name);
                // And it is not much above: a graph more at most.
                assert!(ours <= peak + 31_700, "{} {plan:?}: {ours}, {peak}", method.name);
            }
        }
    }
}

#[test]
fn a_budget_moves_the_cuts_and_too_small_a_one_is_refused() {
    // As in most networks, the graphs of the first blocks are the largest.
    let block = |activation_bytes| BlockCost {
        forward_ns: 1,
        backward_ns: 2,
        activation_bytes,
        ..BlockCost::default()
    };
    let costs = Costs {
        batch_size: None,
        blocks: [100, 60, 50, 10, 10, 10, 10].map(block).to_vec(),
    };
    let program = Method::named("dtrp").unwrap().program(&Plan::new(2, 40)).unwrap();
    let loads = Load::of(&program).unwrap();
    let cuts = |budget| partition(&costs, &loads, budget).map(|best| best.cuts());
    assert_eq!(cuts(None), Ok(vec![3]));
    assert_eq!(cuts(Some(210)), Ok(vec![3]));
    assert_eq!(cuts(Some(209)), Ok(vec![2]));
    assert_eq!(cuts(Some(160)), Ok(vec![2]));
    assert_eq!(cuts(Some(150)), Ok(vec![1]));
    let error = cuts(Some(149)).unwrap_err();
    assert_eq!(
        error,
        PartitionError::Memory {
            budget: 149,
            least: 150,
            modules: 2
        }
    );
    assert!(
        error.to_string().contains("the least that is enough is 150 bytes"),
        "{error}"
    );
}

#[test]
fn impossible_numbers_of_modules_are_refused() {
    let costs = Costs {
        batch_size: None,
        blocks: vec![BlockCost::default(); 2],
    };
    let load = Load::default();
    for modules in [0, 3] {
        let error = partition(&costs, &vec![load; modules], None).unwrap_err();
        assert_eq!(error, PartitionError::Modules { blocks: 2, modules });
    }
}

#[test]
fn very_deep_networks_are_cut_at_once() {
    let block = |i: u64| BlockCost {
        forward_ns: 1000 + i * 7919 % 500,
        backward_ns: 2000 + i * 104_729 % 900,
        ..BlockCost::default()
    };
    let costs = Costs {
        batch_size: None,
        blocks: (0..602).map(block).collect(),
    };
    let program = Method::named("dtrp").unwrap().program(&Plan::new(8, 40)).unwrap();
    let best = partition(&costs, &Load::of(&program).unwrap(), None).unwrap();
    let fastest = best.times_ns.iter().copied().fold(f64::MAX, f64::min);
    // Blocks are small beside modules, so an even partition exists to within a block or two.
    assert!(best.slowest_ns() < fastest * 1.02, "{:?}", best.times_ns);
}
