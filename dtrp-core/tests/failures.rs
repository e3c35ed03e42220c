//! A worker that fails in whatever way at whatever action ends the run with one error; nobody hangs, no thread is left.

use dtrp_core::engine::{self, EngineError, EngineOptions, Executor, Stage, StageFailure};
use dtrp_core::schedule::{Method, Op, Order, Plan, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Error,
    Panic,
    /// Takes much longer than the watchdog allows its neighbours to wait.
    Stall,
}

/// Fails at one action; counts the stages alive, to see that they are given back.
struct Faulty {
    trigger: Option<(Op, u32, How)>,
    last: bool,
    working: Arc<AtomicUsize>,
}

#[derive(Debug, thiserror::Error)]
#[error("deliberate failure")]
struct Deliberate;

const WATCHDOG: Duration = Duration::from_millis(150);

impl Faulty {
    fn at(&self, op: Op, batch: u32) -> Result<(), Deliberate> {
        self.working.fetch_add(1, Ordering::SeqCst);
        let result = match self.trigger {
            Some((o, b, How::Error)) if (o, b) == (op, batch) => Err(Deliberate),
            Some((o, b, How::Panic)) if (o, b) == (op, batch) => {
                self.working.fetch_sub(1, Ordering::SeqCst);
                std::panic::panic_any("deliberate panic");
            }
            Some((o, b, How::Stall)) if (o, b) == (op, batch) => {
                std::thread::sleep(4 * WATCHDOG);
                Ok(())
            }
            _ => Ok(()),
        };
        self.working.fetch_sub(1, Ordering::SeqCst);
        result
    }
}

impl Stage for Faulty {
    type Up = ();
    type Down = ();
    type Error = Deliberate;

    fn input(&mut self, _: Unit) -> Result<(), Deliberate> {
        Ok(())
    }
    fn forward(&mut self, unit: Unit, (): (), _: Option<u32>) -> Result<(), Deliberate> {
        self.at(Op::Forward, unit.batch)
    }
    fn forward_graph(&mut self, unit: Unit, (): (), _: Option<u32>) -> Result<Option<()>, Deliberate> {
        self.at(Op::ForwardGraph, unit.batch)?;
        Ok((!self.last).then_some(()))
    }
    fn recompute(&mut self, unit: Unit) -> Result<(), Deliberate> {
        self.at(Op::Recompute, unit.batch)
    }
    fn backward(&mut self, unit: Unit, _: Option<()>) -> Result<Option<()>, Deliberate> {
        self.at(Op::Backward, unit.batch)?;
        Ok(Some(()))
    }
    fn update(&mut self, batch: u32) -> Result<(), Deliberate> {
        self.at(Op::Update, batch)
    }
}

fn fail(worker: usize, op: Op, how: How, executor: Executor) -> Result<(), EngineError<Deliberate>> {
    let modules = 3;
    let program = Method::named("dtrp")
        .unwrap()
        .program(&Plan::new(modules, 12).order(Order::Eager))
        .unwrap();
    let working = Arc::new(AtomicUsize::new(0));
    let stage = |k: usize| Faulty {
        trigger: (k == worker).then_some((op, 5, how)),
        last: k == modules,
        working: working.clone(),
    };
    let mut stages: Vec<_> = (1..=modules).map(stage).collect();
    let options = EngineOptions {
        executor,
        watchdog: WATCHDOG,
        ..EngineOptions::default()
    };
    let begin = Instant::now();
    let result = engine::run(&program, &mut stages, &options).map(|_| ());
    assert!(begin.elapsed() < 20 * WATCHDOG, "took {:?}", begin.elapsed());
    drop(stages);
    // Every thread has ended: it is the only owner left, and nobody is inside an action.
    assert_eq!(
        (Arc::strong_count(&working), working.load(Ordering::SeqCst)),
        (2 - 1, 0)
    );
    result
}

#[test]
fn every_failure_at_every_action_ends_the_run_with_one_error() {
    std::panic::set_hook(Box::new(|_| {}));
    let of_below = [Op::Forward, Op::Recompute, Op::Backward, Op::Update];
    let of_last = [Op::ForwardGraph, Op::Backward, Op::Update];
    for worker in 1..=3 {
        for op in if worker == 3 { &of_last[..] } else { &of_below[..] } {
            for how in [How::Error, How::Panic] {
                for executor in [Executor::Threads, Executor::Sequential] {
                    let error = fail(worker, *op, how, executor).unwrap_err();
                    let text = error.to_string();
                    let EngineError::Worker {
                        worker: at,
                        action,
                        failure,
                        around,
                    } = error
                    else {
                        panic!("{text}")
                    };
                    assert_eq!((at, action.op, action.unit.batch), (worker, *op, 5), "{text}");
                    assert!(around.contains(&action.to_string()) && around.contains('^'), "{text}");
                    match (how, *failure) {
                        (How::Error, StageFailure::Error(Deliberate)) => {}
                        (How::Panic, StageFailure::Panic(message)) => {
                            assert_eq!(message, "deliberate panic");
                        }
                        (_, other) => panic!("{other:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_stalled_worker_is_named_by_the_watchdog() {
    for (worker, op) in [(1, Op::Forward), (2, Op::Recompute), (3, Op::Backward)] {
        let error = fail(worker, op, How::Stall, Executor::Threads).unwrap_err();
        let text = error.to_string();
        let name = format!("worker {worker} is executing {}5", op.token());
        assert!(
            text.contains("nothing happened for 0.15 s") && text.contains(&name),
            "{text}"
        );
    }
}
