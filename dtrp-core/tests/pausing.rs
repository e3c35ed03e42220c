//! A run that pauses, whenever and however often, and goes on, in the same process or in another, is the same run.

mod common;
#[path = "common/counting.rs"]
mod counting;
#[path = "common/exact.rs"]
mod exact;
#[path = "common/odd.rs"]
mod odd;

use counting::Counting;
use dtrp_core::analysis::{Cuts, cut_after};
use dtrp_core::engine::{self, Channels, EngineOptions, Execution, Executor, Pause, Paused, Ran};
use dtrp_core::schedule::{Dtrp, Program, Unit};
use exact::Exact;
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn options(executor: Executor, capacity: usize) -> EngineOptions {
    EngineOptions {
        executor,
        capacity: NonZeroUsize::new(capacity).unwrap(),
        watchdog: Duration::from_secs(20),
        ..EngineOptions::default()
    }
}

/// How a test goes on after a pause.
#[derive(Debug, Clone, Copy, PartialEq)]
enum GoOn {
    /// With what it has.
    Here,
    /// As another process would: nothing is left but the batch, the mail and copies of the stages.
    Elsewhere,
}

/// What a run is like that pauses.
#[derive(Debug, Clone, Copy)]
struct Way {
    executor: Executor,
    /// The other executor takes over after each pause.
    alternate: bool,
    capacity: usize,
    go_on: GoOn,
    delays: Option<u64>,
}

fn ways() -> impl Strategy<Value = Way> {
    let executor = prop_oneof![Just(Executor::Threads), Just(Executor::Sequential)];
    let go_on = prop_oneof![Just(GoOn::Here), Just(GoOn::Elsewhere)];
    let delays = proptest::option::of(any::<u64>());
    (executor, any::<bool>(), 1..3usize, go_on, delays).prop_map(|(executor, alternate, capacity, go_on, delays)| Way {
        executor,
        alternate,
        capacity,
        go_on,
        delays,
    })
}

fn without_delays(mut stages: Vec<Exact>) -> Vec<Exact> {
    stages.iter_mut().for_each(|stage| stage.delays = None);
    stages
}

fn uninterrupted(program: &Program) -> Vec<Exact> {
    let mut stages = Exact::network(program.modules(), None);
    engine::run(program, &mut stages, &options(Executor::Sequential, 1)).unwrap();
    stages
}

/// The batches after which a program can pause.
fn places(program: &Program) -> Vec<u32> {
    let ends: Vec<_> = program.workers.iter().map(Vec::len).collect();
    let cuts = (1..).zip(Cuts::new(program));
    cuts.take_while(|(_, cut)| *cut != ends)
        .map(|(batch, _)| batch)
        .collect()
}

fn sorted<T>(list: &[(Unit, T)]) -> bool {
    list.is_sorted_by(|(a, _), (b, _)| a < b)
}

/// What holds of every pause.
fn check_paused(program: &Program, paused: &Paused<Exact>) {
    assert_eq!(paused.positions(), cut_after(program, paused.batch()));
    for mail in paused.mail() {
        assert!(sorted(&mail.arrived_up) && sorted(&mail.arrived_down), "{paused:?}");
        assert!(sorted(&mail.ready_up) && sorted(&mail.ready_down), "{paused:?}");
    }
    let same = Paused::<Exact>::new(program, paused.batch(), paused.mail().to_vec());
    let same = same.unwrap_or_else(|error| panic!("{error}\n{paused:?}\n{program}"));
    assert_eq!(same.positions(), paused.positions());
}

/// What holds of every end: the trace is the program from where this process began.
fn check_finished(program: &Program, done: &Execution) {
    assert_eq!(done.begin, cut_after(program, done.after));
    for (k, actions) in (1..).zip(&program.workers) {
        assert_eq!(done.trace.logical(k), &actions[done.begin[k - 1]..]);
        let events = done.trace.events(k);
        assert_eq!(events.len(), done.trace.logical(k).len());
        assert!(events.is_sorted_by(|a, b| a.begin <= a.end && a.end <= b.begin));
        assert!(events.last().is_none_or(|event| event.end <= done.trace.wall()));
    }
}

/// Runs a program with pauses after these batches, in order, and gives its stages.
fn with_pauses(program: &Program, after: &[u32], way: Way) -> Vec<Exact> {
    let pause = Pause::new();
    let mut stages = Exact::network(program.modules(), way.delays);
    let mut set = options(way.executor, way.capacity);
    let mut after = after.iter();
    let mut next = after.next().copied();
    pause.after(next.unwrap_or(0));
    let mut ran = engine::start(program, &mut stages, &set, &pause);
    loop {
        let paused = match ran.unwrap_or_else(|error| panic!("{error}\n{program}")) {
            Ran::Paused(paused) => paused,
            Ran::Finished(done) => {
                assert_eq!(next, None, "{program}");
                check_finished(program, &done);
                return without_delays(stages);
            }
        };
        assert_eq!(Some(paused.batch()), next);
        check_paused(program, &paused);
        next = after.next().copied();
        pause.after(next.unwrap_or(0));
        if way.alternate {
            set.executor = match set.executor {
                Executor::Threads => Executor::Sequential,
                Executor::Sequential => Executor::Threads,
            };
        }
        let paused = match way.go_on {
            GoOn::Here => paused,
            GoOn::Elsewhere => {
                stages = stages.clone();
                let mut mail = paused.mail().to_vec();
                // In any order.
                mail.iter_mut().for_each(|mail| mail.arrived_up.reverse());
                Paused::new(program, paused.batch(), mail).unwrap()
            }
        };
        ran = engine::go_on(program, &mut stages, paused, &set, &pause);
    }
}

/// Some of the places of a program: all, where the pattern is all ones.
fn some(program: &Program, pattern: u32) -> Vec<u32> {
    let places = places(program).into_iter().enumerate();
    let some = places.filter(|(index, _)| pattern.rotate_right(*index as u32) & 1 == 1);
    some.map(|(_, batch)| batch).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn pauses_change_nothing(
        (_, _, program) in common::programs(6, 14, 4),
        pattern in prop_oneof![any::<u32>(), Just(u32::MAX), (0..32u32).prop_map(|bit| 1 << bit)],
        way in ways(),
    ) {
        let stages = with_pauses(&program, &some(&program, pattern), way);
        prop_assert_eq!(stages, uninterrupted(&program));
    }

    #[test]
    fn pauses_change_nothing_in_odd_programs(
        program in odd::programs(4, 8, 2),
        pattern in prop_oneof![any::<u32>(), Just(u32::MAX)],
        way in ways(),
    ) {
        let stages = with_pauses(&program, &some(&program, pattern), way);
        prop_assert_eq!(stages, uninterrupted(&program));
    }
}

/// Every arrangement of every method, so that none is left to chance.
#[test]
fn every_method_pauses_after_every_batch() {
    for (method, order) in common::variants() {
        for (modules, micro, accumulate) in [(1, 1, 1), (2, 3, 1), (4, 1, 2), (5, 2, 3)] {
            let plan = common::plan(method, order, modules, 7, micro, accumulate);
            let program = method.program(&plan).unwrap();
            let places = places(&program);
            assert_eq!(places, [1, 2, 3, 4, 5, 6], "{program}");
            let reference = uninterrupted(&program);
            for executor in [Executor::Threads, Executor::Sequential] {
                for go_on in [GoOn::Here, GoOn::Elsewhere] {
                    let way = Way {
                        executor,
                        alternate: false,
                        capacity: 1,
                        go_on,
                        delays: None,
                    };
                    assert_eq!(with_pauses(&program, &places, way), reference, "{way:?}\n{program}");
                }
            }
        }
    }
}

/// Requests from another thread at any time: the run pauses at consistent cuts, goes on, and ends as it would have. A request
/// that comes before the run is back is met, or kept.
#[test]
fn requests_at_any_time_lose_nothing() {
    let mut pauses = 0;
    for round in 0..120u64 {
        let (method, order) = common::variants()[round as usize % common::variants().len()];
        let plan = common::plan(method, order, 1 + round as usize % 5, 12, 2, 1);
        let program = method.program(&plan).unwrap();
        let executor = [Executor::Threads, Executor::Sequential][round as usize / 3 % 2];
        let pause = Pause::new();
        let over = AtomicBool::new(false);
        let mut stages = Exact::network(program.modules(), Some(round));
        std::thread::scope(|scope| {
            let asking = pause.clone();
            let over = &over;
            scope.spawn(move || {
                let mut seed = round;
                while !over.load(Ordering::Relaxed) {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    std::thread::sleep(Duration::from_micros((seed >> 33) % 2000));
                    asking.request();
                }
            });
            let set = options(executor, 1);
            let mut last = 0;
            let mut ran = engine::start(&program, &mut stages, &set, &pause);
            let done = loop {
                match ran.unwrap() {
                    Ran::Finished(done) => break done,
                    Ran::Paused(paused) => {
                        assert!(paused.batch() > last);
                        last = paused.batch();
                        pauses += 1;
                        check_paused(&program, &paused);
                        ran = engine::go_on(&program, &mut stages, paused, &set, &pause);
                    }
                }
            };
            over.store(true, Ordering::Relaxed);
            check_finished(&program, &done);
        });
        assert_eq!(without_delays(stages), uninterrupted(&program), "{program}");
    }
    assert!(pauses > 100, "only {pauses}");
}

fn eager(modules: usize, batches: u32) -> Program {
    Dtrp::new(modules).eager().batches(batches).program().unwrap()
}

/// Runs it, and says after which batch it has paused, or 0.
fn paused_after(program: &Program, pause: &Pause) -> u32 {
    let mut stages = Exact::network(program.modules(), None);
    match engine::start(program, &mut stages, &EngineOptions::default(), pause).unwrap() {
        Ran::Finished(_) => 0,
        Ran::Paused(paused) => paused.batch(),
    }
}

#[test]
fn what_is_asked_of_a_pause() {
    let program = eager(3, 8);
    let pause = Pause::new();
    assert_eq!(paused_after(&program, &pause), 0);
    // Before the run: the first cut; and then it is met.
    pause.request();
    assert_eq!(paused_after(&program, &pause), 1);
    assert!(!pause.requested());
    assert_eq!(paused_after(&program, &pause), 0);
    // As a signal handler does.
    pause.flag().store(true, Ordering::Relaxed);
    assert_eq!(paused_after(&program, &pause.clone()), 1);
    // Taken back.
    pause.request();
    pause.after(4);
    pause.clear();
    assert_eq!(paused_after(&program, &pause), 0);
    // The last one counts, and the end of the program is no pause.
    pause.after(3);
    pause.after(5);
    assert_eq!(paused_after(&program, &pause), 5);
    for never in [0, 8, 9, u32::MAX] {
        pause.after(never);
        assert_eq!(paused_after(&program, &pause), 0);
    }
    // The numbers are those of one program.
    pause.after(9);
    assert_eq!(paused_after(&program, &pause), 0);
    assert_eq!(paused_after(&eager(3, 12), &pause), 0);
    // A request leaves the other one as it is.
    pause.after(5);
    pause.request();
    let mut stages = Exact::network(3, None);
    let set = EngineOptions::default();
    let Ran::Paused(paused) = engine::start(&program, &mut stages, &set, &pause).unwrap() else {
        panic!()
    };
    assert_eq!(paused.batch(), 1);
    let Ran::Paused(paused) = engine::go_on(&program, &mut stages, paused, &set, &pause).unwrap() else {
        panic!()
    };
    assert_eq!(paused.batch(), 5);
    // A cut that lies behind is not come to any more.
    pause.after(5);
    let ran = engine::go_on(&program, &mut stages, paused, &set, &pause).unwrap();
    assert!(matches!(ran, Ran::Finished(_)));
    assert_eq!(stages, uninterrupted(&program));
}

/// A request that comes too late for a run is not lost: there are programs with one batch only.
#[test]
fn a_request_is_kept_for_the_next_run() {
    let pause = Pause::new();
    pause.request();
    assert_eq!(paused_after(&eager(3, 1), &pause), 0);
    assert!(pause.requested());
    assert_eq!(paused_after(&eager(3, 2), &pause), 1);
}

#[test]
fn a_pause_does_not_count_as_time_of_the_run() {
    let program = eager(3, 8);
    let begin = Instant::now();
    let pause = Pause::new();
    let mut stages = Exact::network(3, None);
    let set = EngineOptions::default();
    pause.after(4);
    let Ran::Paused(paused) = engine::start(&program, &mut stages, &set, &pause).unwrap() else {
        panic!()
    };
    let nap = Duration::from_millis(300);
    std::thread::sleep(nap);
    let Ran::Finished(done) = engine::go_on(&program, &mut stages, paused, &set, &pause).unwrap() else {
        panic!()
    };
    assert!(done.trace.wall() + nap <= begin.elapsed());
    check_finished(&program, &done);
    assert_eq!((done.after, done.begin), (0, vec![0; 3]));
    assert_eq!(done.trace.to_program(&program), program);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Over links that the engine does not know: they are handed back with nothing on them, and everything has gone over them
    /// once.
    #[test]
    fn any_links_can_be_paused(program in odd::programs(5, 8, 2), pattern in any::<u32>(), delays in any::<u64>()) {
        let (pause, set) = (Pause::new(), options(Executor::Threads, 1));
        let carried = Arc::new(AtomicUsize::new(0));
        let link = |inner| Counting { inner, carried: Arc::clone(&carried) };
        let mut links: Vec<_> = Channels::row(program.modules(), set.capacity).into_iter().map(link).collect();
        let mut stages = Exact::network(program.modules(), Some(delays));
        let mut after = some(&program, pattern).into_iter();
        pause.after(after.next().unwrap_or(0));
        let mut ran = engine::start_over_links(&program, &mut stages, &mut links, &set, &pause).unwrap();
        let done = loop {
            match ran {
                Ran::Finished(done) => break done,
                Ran::Paused(paused) => {
                    prop_assert_eq!(links.len(), program.modules());
                    check_paused(&program, &paused);
                    pause.after(after.next().unwrap_or(0));
                    ran = engine::go_on_over_links(&program, &mut stages, &mut links, paused, &set, &pause).unwrap();
                }
            }
        };
        prop_assert_eq!(after.next(), None);
        prop_assert!(links.is_empty());
        check_finished(&program, &done);
        prop_assert_eq!(without_delays(stages), uninterrupted(&program));
        let messages: usize = done.report.workers.iter().map(|worker| worker.messages).sum();
        prop_assert_eq!(carried.load(Ordering::Relaxed), messages);
    }
}

/// Where everything is done, there is nothing to pause: in this program all work is before the cut of batch 1.
#[test]
fn the_end_is_no_pause_whatever_its_batch() {
    let text = "dtrp-program 1 method own order eager modules 1 batches 2 micro-batches 1 \
                worker 1 G1@0 G2@0 B2@0 B1@0 U1@1";
    let program: Program = text.parse().unwrap();
    assert_eq!(cut_after(&program, 1), [5]);
    let pause = Pause::new();
    pause.request();
    assert_eq!(paused_after(&program, &pause), 0);
}
