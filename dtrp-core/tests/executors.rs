//! One thread and K threads give the same result, shown with a stage so simple that everything is exact: integers modulo a
//! prime, where neither order nor rounding can hide a difference.

mod common;
#[path = "common/counting.rs"]
mod counting;
#[path = "common/exact.rs"]
mod exact;

use counting::Counting;
use dtrp_core::engine::{self, Channels, EngineError, EngineOptions, Executor};
use dtrp_core::schedule::Program;
use exact::Exact;
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn run(program: &Program, executor: Executor, capacity: usize, delays: Option<u64>) -> Vec<Exact> {
    let mut stages = Exact::network(program.modules(), delays);
    let capacity = NonZeroUsize::new(capacity).unwrap();
    let options = EngineOptions {
        executor,
        capacity,
        ..EngineOptions::default()
    };
    let outcome = engine::run(program, &mut stages, &options).unwrap_or_else(|e| panic!("{e}\n{program}"));
    for k in 1..=program.modules() {
        assert_eq!(outcome.trace.logical(k), program.workers[k - 1]);
        assert_eq!(outcome.trace.events(k).len(), program.workers[k - 1].len());
    }
    for stage in &mut stages {
        assert!(
            stage.inputs.is_empty() && stage.graphs.is_empty(),
            "something was left behind"
        );
        stage.delays = None;
    }
    stages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn all_executors_agree((_, _, program) in common::programs(6, 20, 4), seed in any::<u64>()) {
        let reference = run(&program, Executor::Sequential, 1, None);
        prop_assert_eq!(&run(&program, Executor::Sequential, 5, None), &reference);
        prop_assert_eq!(&run(&program, Executor::Threads, 1, Some(seed)), &reference);
        prop_assert_eq!(&run(&program, Executor::Threads, 3, None), &reference);
    }
}

/// Guards the test above: results must depend on the schedule, or equality would mean nothing.
#[test]
fn different_schedules_give_different_results() {
    let weights = |name: &str| {
        let method = dtrp_core::schedule::Method::named(name).unwrap();
        let program = method.program(&dtrp_core::schedule::Plan::new(3, 9)).unwrap();
        run(&program, Executor::Sequential, 1, None)[0].weight
    };
    let all: std::collections::HashSet<_> = ["bp", "dtrp", "dsp", "fdg", "pipedream", "spectrain"]
        .map(weights)
        .into();
    assert_eq!(all.len(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    /// The result is the same over any links, and every message goes over them.
    #[test]
    fn workers_meet_over_any_links((_, _, program) in common::programs(5, 12, 3)) {
        let reference = run(&program, Executor::Sequential, 1, None);
        let mut stages = Exact::network(program.modules(), None);
        let carried = Arc::new(AtomicUsize::new(0));
        let options = EngineOptions::default();
        let link = |inner| Counting { inner, carried: Arc::clone(&carried) };
        let links = Channels::row(program.modules(), options.capacity).into_iter().map(link).collect();
        let done = engine::run_over(&program, &mut stages, links, &options).unwrap();
        prop_assert_eq!(&stages, &reference);
        let messages: usize = done.report.workers.iter().map(|worker| worker.messages).sum();
        prop_assert_eq!(carried.load(Ordering::Relaxed), messages);
    }
}

#[test]
fn there_is_one_link_for_each_worker() {
    let program = dtrp_core::schedule::Dtrp::new(3).program().unwrap();
    let mut stages = Exact::network(3, None);
    let links = Channels::row(2, NonZeroUsize::MIN);
    let error = engine::run_over(&program, &mut stages, links, &EngineOptions::default()).unwrap_err();
    assert!(matches!(error, EngineError::Links { links: 2, modules: 3 }), "{error}");
}
