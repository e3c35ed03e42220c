//! One thread and K threads give the same result, shown with a stage so simple that everything is exact: integers modulo a
//! prime, where neither order nor rounding can hide a difference.

mod common;
#[path = "common/counting.rs"]
mod counting;
#[path = "common/exact.rs"]
mod exact;

use counting::Counting;
use dtrp_core::engine::{
    self, Channels, Elsewhere, EngineError, EngineOptions, Executor, PeerFailure, Placement, Verdict,
};
use dtrp_core::schedule::Program;
use exact::Exact;
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]

    /// A program whose workers are executed by two engines, which know nothing of each other but the links, has the same result.
    #[test]
    fn workers_may_be_anywhere((_, _, program) in common::programs(5, 12, 3), places in any::<u8>()) {
        let modules = program.modules();
        let reference = run(&program, Executor::Sequential, 1, None);
        let placement = Placement::new((0..modules).map(|k| usize::from(places >> k) & 1).collect());
        let mut links: Vec<_> = Channels::row(modules, EngineOptions::default().capacity).into_iter().map(Some).collect();
        let mut stages: Vec<_> = Exact::network(modules, None).into_iter().map(Some).collect();
        let halves: Vec<Vec<Exact>> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..2).map(|rank| {
                let own = placement.own(rank);
                let links = own.iter().filter_map(|k| links[*k].take()).collect::<Vec<_>>();
                let mut stages = own.iter().filter_map(|k| stages[*k].take()).collect::<Vec<_>>();
                let program = &program;
                scope.spawn(move || {
                    let elsewhere = Elsewhere::new(modules, own.clone(), Duration::ZERO, |_, _| {});
                    let options = EngineOptions::default();
                    let ran = engine::run_placed(program, &mut stages, links, &elsewhere, &options).unwrap();
                    for k in 0..modules {
                        let all = &program.workers[k];
                        let (begin, found) = if own.contains(&k) { (0, &all[..]) } else { (all.len(), &[][..]) };
                        assert_eq!((ran.begin[k], ran.trace.logical(k + 1)), (begin, found));
                    }
                    stages
                })
            }).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        let mut found: Vec<Exact> = halves.into_iter().flatten().collect();
        found.sort_by_key(|stage| stage.k);
        prop_assert_eq!(found, reference);
    }
}

/// Worker 1 of two, whose neighbour is in another process that does nothing; what is told of it.
fn alone(elsewhere: &Elsewhere, watchdog: Duration) -> String {
    let program = dtrp_core::schedule::Dtrp::new(2).program().unwrap();
    let mut row = Channels::row(2, NonZeroUsize::MIN);
    let (_other, link) = (row.pop(), row);
    let mut stages = Exact::network(2, None);
    stages.truncate(1);
    let options = EngineOptions {
        watchdog,
        ..EngineOptions::default()
    };
    engine::run_placed(&program, &mut stages, link, elsewhere, &options)
        .unwrap_err()
        .to_string()
}

#[test]
fn the_failure_of_another_process_ends_the_run_here() {
    let elsewhere = Elsewhere::new(2, vec![0], Duration::from_secs(5), |_, _| {});
    let error = std::thread::scope(|scope| {
        let run = scope.spawn(|| alone(&elsewhere, Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(50));
        elsewhere.decide(Verdict::Peer(PeerFailure {
            rank: 1,
            host: "there".to_owned(),
            worker: Some(2),
            text: "worker 2 failed".to_owned(),
        }));
        run.join().unwrap()
    });
    assert_eq!(error, "rank 1 on there: worker 2 failed");
}

#[test]
fn what_others_do_keeps_the_watchdog_quiet() {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let elsewhere = Elsewhere::new(2, vec![0], Duration::from_millis(10), move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let watchdog = Duration::from_millis(400);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| alone(&elsewhere, watchdog));
        for at in 1..=20 {
            std::thread::sleep(watchdog / 8);
            elsewhere.heard(1, at);
        }
        assert_eq!(told.load(Ordering::Relaxed), 0, "given up although the other one works");
        // Then nothing more is heard.
        let error = run.join().unwrap();
        assert!(error.contains("nothing happened for 0.4 s"), "{error}");
    });
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn placed_runs_want_a_stage_and_a_link_for_each_own_worker() {
    let program = dtrp_core::schedule::Dtrp::new(3).program().unwrap();
    let ran = |own: Vec<usize>, stages: usize, links: usize| {
        let mut stages = Exact::network(stages, None);
        let elsewhere = Elsewhere::new(3, own, Duration::ZERO, |_, _| {});
        let links = Channels::row(links, NonZeroUsize::MIN);
        engine::run_placed(&program, &mut stages, links, &elsewhere, &EngineOptions::default()).unwrap_err()
    };
    assert!(matches!(
        ran(vec![0, 2], 1, 2),
        EngineError::Stages { stages: 1, modules: 2 }
    ));
    assert!(matches!(ran(vec![0, 3], 2, 2), EngineError::Stages { .. }));
    assert!(matches!(
        ran(vec![0, 2], 2, 1),
        EngineError::Links { links: 1, modules: 2 }
    ));
}
