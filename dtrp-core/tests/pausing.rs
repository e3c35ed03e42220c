//! A program that is paused and gone on with, in place or from what was kept of it, is the same program.

mod common;

use common::exact::Exact;
use common::programs;
use dtrp_core::analysis::Cuts;
use dtrp_core::engine::{self, EngineOptions, Executor, Mail, Pause, Paused, Ran, Stage};
use dtrp_core::schedule::{Action, Method, Op, Order, Plan, Program, Unit};
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::time::Duration;

fn options(executor: Executor, capacity: usize) -> EngineOptions {
    EngineOptions {
        executor,
        capacity: NonZeroUsize::new(capacity).unwrap(),
        watchdog: Duration::from_secs(20),
        ..EngineOptions::default()
    }
}

fn whole(program: &Program) -> Vec<Exact> {
    let mut stages = Exact::network(program.modules(), None);
    engine::run(program, &mut stages, &options(Executor::Sequential, 2)).unwrap();
    stages
}

/// Whether all that is received within these prefixes is sent within them.
fn is_closed(program: &Program, positions: &[usize]) -> bool {
    let within = |worker: usize, op: Op, unit: Unit| {
        let actions = &program.workers[worker][..positions[worker]];
        actions.iter().any(|action| action.op == op && action.unit == unit)
    };
    let closed = |worker: usize, action: &Action| match action.op {
        Op::RecvY => within(worker - 1, Op::SendY, action.unit),
        Op::RecvD => within(worker + 1, Op::SendD, action.unit),
        _ => true,
    };
    positions.iter().enumerate().all(|(worker, at)| {
        let actions = &program.workers[worker][..*at];
        actions.iter().all(|action| closed(worker, action))
    })
}

/// Past the last backward pass or update of the batches up to this one.
fn own(actions: &[Action], batch: u32) -> usize {
    let ends = |action: &Action| matches!(action.op, Op::Backward | Op::Update) && action.unit.batch <= batch;
    actions.iter().rposition(ends).map_or(0, |at| at + 1)
}

proptest! {
    #[test]
    fn cuts_are_consistent_and_least((_, _, program) in programs(4, 7, 3)) {
        let cuts = Cuts::of(&program);
        let mut before = vec![0; program.modules()];
        for batch in 1..=program.batches {
            let cut = cuts.after(batch);
            prop_assert!(is_closed(&program, &cut));
            for (worker, actions) in program.workers.iter().enumerate() {
                prop_assert!(cut[worker] >= own(actions, batch).max(before[worker]));
            }
            // Any smaller one lacks something: taken back action by action, as far as the others allow.
            for worker in 0..program.modules() {
                let mut smaller = cut.clone();
                while smaller[worker] > own(&program.workers[worker], batch) {
                    smaller[worker] -= 1;
                    prop_assert!(!is_closed(&program, &smaller), "{cut:?} after {batch} is not the least: {smaller:?}");
                }
            }
            before = cut;
        }
        prop_assert_eq!(cuts.position(0, program.batches + 1), None);
    }

    #[test]
    fn in_place(
        (_, _, program) in programs(4, 6, 3),
        sequential: bool,
        capacity in 1..3usize,
        stops in proptest::collection::btree_set(1..7u32, 0..6),
    ) {
        let options = options(if sequential { Executor::Sequential } else { Executor::Threads }, capacity);
        let mut stages = Exact::network(program.modules(), None);
        let pause = Pause::default();
        let mut stops = stops.into_iter();
        let ask = |next: Option<u32>| next.map(|batch| pause.after(batch));
        ask(stops.next());
        let mut ran = engine::start(&program, &mut stages, &options, &pause).unwrap();
        let trace = loop {
            match ran {
                Ran::Finished(execution) => break execution.trace,
                Ran::Paused(paused) => {
                    prop_assert_eq!(paused.positions(), Cuts::of(&program).after(paused.batch()));
                    ask(stops.next());
                    ran = engine::go_on(&program, &mut stages, paused, &options, &pause).unwrap();
                }
            }
        };
        prop_assert_eq!(&stages, &whole(&program));
        prop_assert_eq!(trace.to_program(&program), program);
    }

    #[test]
    fn from_what_was_kept(
        (_, _, program) in programs(4, 6, 3),
        sequential: [bool; 2],
        capacity in 1..3usize,
        batch in 1..7u32,
    ) {
        let executors = sequential.map(|one| if one { Executor::Sequential } else { Executor::Threads });
        let mut stages = Exact::network(program.modules(), None);
        let pause = Pause::default();
        pause.after(batch);
        if let Ran::Paused(paused) = engine::start(&program, &mut stages, &options(executors[0], capacity), &pause).unwrap() {
            prop_assert_eq!(paused.batch(), batch);
            let kept: Vec<Mail<Exact>> = paused.mail().iter().map(copy).collect();
            let mut again: Vec<Exact> = stages.clone();
            let paused = Paused::new(&program, batch, kept).unwrap();
            let from = paused.positions().to_vec();
            let ran = engine::go_on(&program, &mut again, paused, &options(executors[1], capacity), &Pause::default());
            let Ran::Finished(execution) = ran.unwrap() else { panic!() };
            for (worker, from) in (1..).zip(from) {
                prop_assert_eq!(execution.trace.logical(worker), &program.workers[worker - 1][from..]);
            }
            stages = again;
        }
        prop_assert_eq!(&stages, &whole(&program));
    }
}

fn copy<S: Stage<Up = u64, Down = u64>>(mail: &Mail<S>) -> Mail<S> {
    Mail {
        arrived_up: mail.arrived_up.clone(),
        arrived_down: mail.arrived_down.clone(),
        ready_up: mail.ready_up.clone(),
        ready_down: mail.ready_down.clone(),
    }
}

/// A program long enough to be asked from another thread meanwhile.
fn long(modules: usize, batches: u32) -> Program {
    let plan = Plan::new(modules, batches).order(Order::Eager);
    Method::named("dtrp").unwrap().program(&plan).unwrap()
}

#[test]
fn asked_from_another_thread_at_any_time() {
    let program = long(4, 60);
    let expected = whole(&program);
    let mut pauses = 0;
    for round in 0..20u64 {
        let mut stages = Exact::network(4, Some(round));
        let pause = Pause::default();
        let asking = pause.clone();
        let asker = std::thread::spawn(move || {
            for ask in 0..12 {
                std::thread::sleep(Duration::from_micros(150 * (1 + (round * 7 + ask) % 9)));
                asking.request();
            }
        });
        let options = options(Executor::Threads, 1);
        let mut ran = engine::start(&program, &mut stages, &options, &pause).unwrap();
        let mut last = 0;
        while let Ran::Paused(paused) = ran {
            assert!(paused.batch() > last);
            last = paused.batch();
            pauses += 1;
            pause.clear();
            ran = engine::go_on(&program, &mut stages, paused, &options, &pause).unwrap();
        }
        asker.join().unwrap();
        for (stage, expected) in stages.iter().zip(&expected) {
            assert_eq!((&stage.history, stage.weight), (&expected.history, expected.weight));
        }
    }
    assert!(pauses > 20, "{pauses}");
}

#[test]
fn mail_that_does_not_belong_there_is_refused() {
    let program = long(3, 8);
    let pause = Pause::default();
    pause.after(4);
    let mut stages = Exact::network(3, None);
    let options = options(Executor::Sequential, 2);
    let Ran::Paused(paused) = engine::start(&program, &mut stages, &options, &pause).unwrap() else { panic!() };
    let kept = || paused.mail().iter().map(copy).collect::<Vec<_>>();
    assert!(Paused::new(&program, 4, kept()).is_ok());
    let error = Paused::new(&program, 9, kept()).unwrap_err();
    assert!(error.contains("8 batches"), "{error}");
    let error = Paused::new(&program, 4, kept()[..2].iter().map(copy).collect()).unwrap_err();
    assert!(error.contains("3 workers"), "{error}");
    let place = kept().iter().position(|mail| !mail.arrived_up.is_empty()).unwrap();
    let mut less = kept();
    less[place].arrived_up.clear();
    let error = Paused::new(&program, 4, less).unwrap_err();
    assert!(error.contains("activations from below") && error.contains("not of []"), "{error}");
    let mut more = kept();
    more[1].ready_down.push((Unit::batch(8), 1));
    let error = Paused::new(&program, 4, more).unwrap_err();
    assert!(error.contains("worker 2 holds the gradients to send"), "{error}");
}

/// Fails, or never comes back, when it is asked for its update of a batch.
struct Bad {
    exact: Exact,
    at: u32,
    how: fn() -> Result<(), common::exact::Failure>,
}

impl Stage for Bad {
    type Up = u64;
    type Down = u64;
    type Error = common::exact::Failure;

    fn input(&mut self, unit: Unit) -> Result<u64, Self::Error> {
        self.exact.input(unit)
    }
    fn forward(&mut self, unit: Unit, input: u64, horizon: Option<u32>) -> Result<u64, Self::Error> {
        self.exact.forward(unit, input, horizon)
    }
    fn forward_graph(&mut self, unit: Unit, input: u64, horizon: Option<u32>) -> Result<Option<u64>, Self::Error> {
        self.exact.forward_graph(unit, input, horizon)
    }
    fn recompute(&mut self, unit: Unit) -> Result<(), Self::Error> {
        self.exact.recompute(unit)
    }
    fn backward(&mut self, unit: Unit, delta: Option<u64>) -> Result<Option<u64>, Self::Error> {
        self.exact.backward(unit, delta)
    }
    fn update(&mut self, batch: u32) -> Result<(), Self::Error> {
        if batch == self.at {
            (self.how)()?;
        }
        self.exact.update(batch)
    }
}

#[test]
fn what_fails_while_others_have_paused_ends_the_run() {
    let program = long(4, 10);
    let error = || Err(common::exact::Failure("broken".to_owned()));
    let panics = || panic!("broken");
    let hangs = || -> Result<(), common::exact::Failure> {
        std::thread::sleep(Duration::from_secs(3600));
        Ok(())
    };
    let ways: [(fn() -> _, &str, Executor); 5] = [
        (error, "broken", Executor::Threads),
        (error, "broken", Executor::Sequential),
        (panics, "broken", Executor::Threads),
        (panics, "broken", Executor::Sequential),
        (hangs, "nothing happened", Executor::Threads),
    ];
    for (how, says, executor) in ways {
        for bad in 0..4 {
            let stages = Exact::network(4, None).into_iter().enumerate();
            let mut stages: Vec<Bad> = stages
                .map(|(index, exact)| Bad {
                    exact,
                    at: if index == bad { 5 } else { u32::MAX },
                    how,
                })
                .collect();
            let pause = Pause::default();
            pause.after(5);
            let options = EngineOptions {
                watchdog: Duration::from_millis(400),
                ..options(executor, 1)
            };
            let failed = engine::start(&program, &mut stages, &options, &pause).map(drop).unwrap_err();
            assert_eq!(failed.worker(), Some(bad + 1), "{failed}");
            assert!(failed.to_string().contains(says), "{failed}");
        }
    }
}
