//! Does the cost of a simulation grow in proportion to the number of actions? Times per action are given for several K and
//! N, for programs that are walked through from end to end, and for a million batches, which are not.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dtrp_core::costs::ModuleCosts;
use dtrp_core::schedule::{Method, Plan, Program};
use dtrp_core::simulate::{Jitter, SimulationOptions, simulate, simulate_plan};
use std::hint::black_box;
use std::time::Duration;

fn method() -> &'static Method {
    Method::named("dtrp").expect("the method exists")
}

fn program(modules: usize, batches: u32) -> Program {
    let plan = Plan::new(modules, batches);
    method().program(&plan).expect("the plan is simple")
}

/// Nearly balanced modules, as a good cut makes them.
fn costs(modules: usize) -> Vec<ModuleCosts> {
    let module = |k: usize| ModuleCosts::times(1_000_000 + (k as u64 * 7919) % 1000, 2_000_000);
    (0..modules).map(module).collect()
}

/// Analysis and walk of programs with jitter, in which nothing repeats itself.
fn walk(c: &mut Criterion) {
    let options = SimulationOptions {
        jitter: Some(Jitter {
            relative_std: 0.1,
            ..Jitter::default()
        }),
        ..SimulationOptions::default()
    };
    let mut group = c.benchmark_group("walk");
    for (modules, batches) in [
        (2, 1000),
        (2, 10_000),
        (2, 100_000),
        (16, 1000),
        (16, 10_000),
        (128, 100),
        (128, 1000),
        (1024, 100),
    ] {
        let (program, costs) = (program(modules, batches), costs(modules));
        group.throughput(Throughput::Elements(program.len() as u64));
        let id = BenchmarkId::new(format!("K={modules}"), batches);
        group.bench_function(id, |b| {
            b.iter(|| simulate(black_box(&program), &costs, &options).expect("it is right"));
        });
    }
    group.finish();
}

/// From the plan to the result, for a million batches.
fn million(c: &mut Criterion) {
    let mut group = c.benchmark_group("million batches");
    for modules in [2, 16, 128] {
        let (plan, costs) = (Plan::new(modules, 1_000_000), costs(modules));
        group.bench_function(BenchmarkId::from_parameter(format!("K={modules}")), |b| {
            let options = SimulationOptions::default();
            b.iter(|| simulate_plan(method(), &plan, &costs, &options).expect("it is right"));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = walk, million
}
criterion_main!(benches);
