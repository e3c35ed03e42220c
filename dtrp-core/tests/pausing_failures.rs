//! A worker that fails while others have paused, or while it pauses itself, ends the run as at any other time.

#[path = "common/exact.rs"]
mod exact;

use dtrp_core::engine::{self, EngineError, EngineOptions, Executor, Pause, Ran, Stage, StageFailure};
use dtrp_core::schedule::{Dtrp, Op, Program, Unit};
use exact::{Exact, Failure};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const EXECUTORS: [Executor; 2] = [Executor::Threads, Executor::Sequential];

const WATCHDOG: Duration = Duration::from_millis(150);

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Error,
    Panic,
    /// Takes so long.
    Stall(Duration),
}

/// What fails: an action of a batch, or the end of the stage's work in its thread.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Action(Op, u32),
    Leave,
}

/// Computes as [`Exact`], and fails at one place.
struct Failing {
    inner: Exact,
    trigger: Option<(At, How)>,
}

impl Failing {
    fn at(&self, place: At) -> Result<(), Failure> {
        match self.trigger {
            Some((at, How::Error)) if at == place => Err(Failure("deliberate failure".to_owned())),
            Some((at, How::Panic)) if at == place => std::panic::panic_any("deliberate panic"),
            Some((at, How::Stall(time))) if at == place => {
                std::thread::sleep(time);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Stage for Failing {
    type Up = u64;
    type Down = u64;
    type Error = Failure;

    fn leave(&mut self) -> Result<(), Failure> {
        self.at(At::Leave)
    }
    fn input(&mut self, unit: Unit) -> Result<u64, Failure> {
        self.inner.input(unit)
    }
    fn forward(&mut self, unit: Unit, input: u64, horizon: Option<u32>) -> Result<u64, Failure> {
        self.at(At::Action(Op::Forward, unit.batch))?;
        self.inner.forward(unit, input, horizon)
    }
    fn forward_graph(&mut self, unit: Unit, input: u64, horizon: Option<u32>) -> Result<Option<u64>, Failure> {
        self.at(At::Action(Op::ForwardGraph, unit.batch))?;
        self.inner.forward_graph(unit, input, horizon)
    }
    fn recompute(&mut self, unit: Unit) -> Result<(), Failure> {
        self.at(At::Action(Op::Recompute, unit.batch))?;
        self.inner.recompute(unit)
    }
    fn backward(&mut self, unit: Unit, delta: Option<u64>) -> Result<Option<u64>, Failure> {
        self.at(At::Action(Op::Backward, unit.batch))?;
        self.inner.backward(unit, delta)
    }
    fn update(&mut self, batch: u32) -> Result<(), Failure> {
        self.at(At::Action(Op::Update, batch))?;
        self.inner.update(batch)
    }
}

fn program() -> Program {
    Dtrp::new(3).eager().batches(12).program().unwrap()
}

fn stages(worker: usize, at: At, how: How) -> Vec<Failing> {
    let stage = |(k, inner)| Failing {
        inner,
        trigger: (k == worker).then_some((at, how)),
    };
    (1..).zip(Exact::network(3, None)).map(stage).collect()
}

/// Runs with a pause after this batch, and if it is come to, goes on to the end. Says how often it has paused.
fn run(
    stages: &mut Vec<Failing>,
    after: u32,
    executor: Executor,
    watchdog: Duration,
) -> (Result<(), EngineError<Failure>>, usize) {
    let options = EngineOptions {
        executor,
        watchdog,
        ..EngineOptions::default()
    };
    let (program, pause) = (program(), Pause::new());
    pause.after(after);
    let mut pauses = 0;
    let mut ran = engine::start(&program, stages, &options, &pause);
    loop {
        match ran {
            Ok(Ran::Finished(_)) => return (Ok(()), pauses),
            Ok(Ran::Paused(paused)) => {
                assert_eq!((paused.batch(), stages.len()), (after, 3));
                pauses += 1;
                ran = engine::go_on(&program, stages, paused, &options, &pause);
            }
            Err(error) => return (Err(error), pauses),
        }
    }
}

#[test]
fn every_failure_around_a_pause_ends_the_run_with_one_error() {
    std::panic::set_hook(Box::new(|_| {}));
    let of_below = [Op::Forward, Op::Recompute, Op::Backward, Op::Update];
    let of_last = [Op::ForwardGraph, Op::Backward, Op::Update];
    let mut paused_first = [0, 0];
    for worker in 1..=3 {
        for op in if worker == 3 { &of_last[..] } else { &of_below[..] } {
            for how in [How::Error, How::Panic] {
                for (executor, after) in EXECUTORS.into_iter().flat_map(|e| (2..8).map(move |after| (e, after))) {
                    let begin = Instant::now();
                    let mut stages = stages(worker, At::Action(*op, 5), how);
                    let (result, pauses) = run(&mut stages, after, executor, 10 * WATCHDOG);
                    let error = result.unwrap_err();
                    assert!(begin.elapsed() < 20 * WATCHDOG, "took {:?}", begin.elapsed());
                    assert_eq!(stages.len(), 3);
                    let EngineError::Worker {
                        worker: at,
                        action,
                        failure,
                        ..
                    } = error
                    else {
                        panic!("{error}")
                    };
                    assert_eq!((at, action.op, action.unit.batch), (worker, *op, 5));
                    match (how, *failure) {
                        (How::Error, StageFailure::Error(_)) => {}
                        (How::Panic, StageFailure::Panic(message)) => assert_eq!(message, "deliberate panic"),
                        (_, other) => panic!("{other:?}"),
                    }
                    paused_first[pauses] += 1;
                }
            }
        }
    }
    // There were failures before the pause and after it.
    assert!(paused_first.iter().all(|count| *count > 20), "{paused_first:?}");
}

/// What is found out only when a worker leaves its thread is found out at the pause.
#[test]
fn a_failure_in_leaving_fails_the_pause() {
    std::panic::set_hook(Box::new(|_| {}));
    for executor in EXECUTORS {
        for (worker, how) in [(1, How::Error), (2, How::Panic), (3, How::Error)] {
            let mut stages = stages(worker, At::Leave, how);
            let (result, pauses) = run(&mut stages, 4, executor, 10 * WATCHDOG);
            assert_eq!((pauses, stages.len()), (0, 3));
            let EngineError::Worker { worker: at, action, .. } = result.unwrap_err() else {
                panic!()
            };
            // At its last action before the pause.
            assert_eq!((at, action.op, action.unit.batch), (worker, Op::Update, 4));
        }
    }
}

/// The others have paused, and one does not come to the cut: it is named, and the run ends without it.
#[test]
fn a_worker_that_hangs_before_the_cut_is_named() {
    let for_ever = How::Stall(Duration::from_secs(3));
    for executor in EXECUTORS {
        for (worker, at) in [
            (1, At::Action(Op::Recompute, 5)),
            (2, At::Action(Op::Update, 5)),
            (3, At::Action(Op::ForwardGraph, 5)),
            (1, At::Leave),
        ] {
            let begin = Instant::now();
            let mut stages = stages(worker, at, for_ever);
            let (result, pauses) = run(&mut stages, 5, executor, WATCHDOG);
            assert!(begin.elapsed() < Duration::from_secs(2), "took {:?}", begin.elapsed());
            assert_eq!((pauses, stages.len()), (0, 0));
            let text = result.unwrap_err().to_string();
            let doing = match at {
                At::Action(op, batch) => format!("{}{batch}", op.token()),
                At::Leave => "U5".to_owned(),
            };
            assert!(
                text.contains(&format!("worker {worker} is executing {doing}")),
                "{executor:?}: {text}"
            );
            if (executor, worker) == (Executor::Threads, 1) {
                assert!(text.contains("worker 3 has paused"), "{text}");
            }
        }
    }
}

/// Waiting for a worker that takes long before its cut is no stall, as long as it comes back in time; nor is the pause itself.
#[test]
fn a_pause_is_no_stall() {
    for executor in EXECUTORS {
        let mut stages = stages(1, At::Action(Op::Backward, 5), How::Stall(4 * WATCHDOG));
        let program = program();
        let options = EngineOptions {
            executor,
            watchdog: 10 * WATCHDOG,
            ..EngineOptions::default()
        };
        let pause = Pause::new();
        pause.after(5);
        let ran = engine::start(&program, &mut stages, &options, &pause).unwrap();
        let Ran::Paused(paused) = ran else { panic!("{ran:?}") };
        std::thread::sleep(12 * WATCHDOG);
        let ran = engine::go_on(&program, &mut stages, paused, &options, &pause).unwrap();
        assert!(matches!(ran, Ran::Finished(_)));
        let mut reference = Exact::network(3, None);
        engine::run(&program, &mut reference, &options).unwrap();
        assert_eq!(
            stages.into_iter().map(|stage| stage.inner).collect::<Vec<_>>(),
            reference
        );
    }
}

/// Failures with requests from another thread all the time.
#[test]
fn failures_and_requests_at_any_time_never_hang() {
    std::panic::set_hook(Box::new(|_| {}));
    let program = program();
    for round in 0..60u32 {
        let worker = 1 + round as usize % 3;
        let how = [How::Error, How::Panic][round as usize / 3 % 2];
        let mut stages = stages(worker, At::Action(Op::Backward, 2 + round % 10), how);
        let options = EngineOptions {
            executor: EXECUTORS[round as usize / 6 % 2],
            watchdog: Duration::from_secs(20),
            ..EngineOptions::default()
        };
        let (pause, over) = (Pause::new(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    pause.request();
                    std::thread::yield_now();
                }
            });
            let mut ran = engine::start(&program, &mut stages, &options, &pause);
            let error = loop {
                match ran {
                    Ok(Ran::Finished(_)) => panic!("it has not failed"),
                    Ok(Ran::Paused(paused)) => {
                        ran = engine::go_on(&program, &mut stages, paused, &options, &pause);
                    }
                    Err(error) => break error,
                }
            };
            over.store(true, Ordering::Relaxed);
            assert_eq!(error.worker(), Some(worker), "{error}");
            assert!(!error.to_string().contains("nothing happened"), "{error}");
        });
        assert_eq!(stages.len(), 3);
    }
}
