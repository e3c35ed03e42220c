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
    /// Takes so long.
    Stall(Duration),
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

/// For runs with nothing wrong, on a busy machine too.
const PATIENT: Duration = Duration::from_millis(800);

impl Faulty {
    fn at(&self, op: Op, batch: u32) -> Result<(), Deliberate> {
        self.working.fetch_add(1, Ordering::SeqCst);
        let result = match self.trigger {
            Some((o, b, How::Error)) if (o, b) == (op, batch) => Err(Deliberate),
            Some((o, b, How::Panic)) if (o, b) == (op, batch) => {
                self.working.fetch_sub(1, Ordering::SeqCst);
                std::panic::panic_any("deliberate panic");
            }
            Some((o, b, How::Stall(time))) if (o, b) == (op, batch) => {
                std::thread::sleep(time);
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

/// As [`run_with`], with a watchdog that does not let a test wait.
fn run(
    modules: usize,
    worker: usize,
    op: Op,
    how: How,
    executor: Executor,
) -> (Result<(), EngineError<Deliberate>>, usize, Arc<AtomicUsize>) {
    run_with(WATCHDOG, modules, worker, op, how, executor)
}

/// Runs a program in which a worker fails; also says how many stages came back.
fn run_with(
    watchdog: Duration,
    modules: usize,
    worker: usize,
    op: Op,
    how: How,
    executor: Executor,
) -> (Result<(), EngineError<Deliberate>>, usize, Arc<AtomicUsize>) {
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
        watchdog,
        ..EngineOptions::default()
    };
    let result = engine::run(&program, &mut stages, &options).map(|_| ());
    (result, stages.len(), working)
}

fn fail(worker: usize, op: Op, how: How, executor: Executor) -> Result<(), EngineError<Deliberate>> {
    let begin = Instant::now();
    let (result, stages, working) = run(3, worker, op, how, executor);
    assert!(begin.elapsed() < 20 * WATCHDOG, "took {:?}", begin.elapsed());
    // Every stage has come back: there is no other owner left, and nobody is inside an action.
    assert_eq!(stages, 3);
    assert_eq!((Arc::strong_count(&working), working.load(Ordering::SeqCst)), (1, 0));
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

const EXECUTORS: [Executor; 2] = [Executor::Threads, Executor::Sequential];

/// It comes back soon enough for its stage to be saved: half a second after the watchdog has fired, and half a second before
/// the run goes on without it, so that a busy machine does not matter.
#[test]
fn a_stalled_worker_is_named_by_the_watchdog() {
    let (watchdog, stall) = (Duration::from_secs(2), Duration::from_millis(2500));
    let check = |executor, worker, op: Op| {
        let (result, stages, _) = run_with(watchdog, 3, worker, op, How::Stall(stall), executor);
        assert_eq!(stages, 3);
        let text = result.unwrap_err().to_string();
        let name = format!("worker {worker} is executing {}5", op.token());
        assert!(
            text.contains("nothing happened for 2 s") && text.contains(&name),
            "{text}"
        );
    };
    std::thread::scope(|scope| {
        for executor in EXECUTORS {
            for (worker, op) in [(1, Op::Forward), (2, Op::Recompute), (3, Op::Backward)] {
                scope.spawn(move || check(executor, worker, op));
            }
        }
    });
}

#[test]
fn a_worker_that_never_comes_back_does_not_hold_the_run_up() {
    let for_ever = How::Stall(Duration::from_secs(3));
    for executor in EXECUTORS {
        for (modules, worker, op) in [(1, 1, Op::ForwardGraph), (3, 1, Op::Forward), (3, 3, Op::Update)] {
            let begin = Instant::now();
            let (result, stages, _) = run(modules, worker, op, for_ever, executor);
            // The watchdog's time, and half of it again; the rest is for a busy machine.
            assert!(begin.elapsed() < Duration::from_secs(2), "took {:?}", begin.elapsed());
            assert_eq!(stages, 0);
            let text = result.unwrap_err().to_string();
            let name = format!("worker {worker} is executing {}5", op.token());
            assert!(text.contains(&name), "{executor:?}: {text}");
        }
    }
}

/// What the next test runs as a process of its own: twelve batches with nothing wrong, some time in every action.
#[test]
fn a_healthy_run() {
    let stall = How::Stall(PATIENT / 4);
    let (result, stages, _) = run_with(PATIENT, 2, 1, Op::Forward, stall, Executor::Threads);
    result.unwrap();
    assert_eq!(stages, 2);
}

#[test]
#[cfg(unix)]
fn time_in_which_the_process_is_stopped_does_not_count() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_run_that_takes_a_while", "--ignored"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let signal = |name: &str| {
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, pid.as_str()])
                .status()
                .unwrap()
                .success()
        );
    };
    for _ in 0..3 {
        std::thread::sleep(PATIENT / 4);
        signal("-STOP");
        std::thread::sleep(2 * PATIENT);
        signal("-CONT");
    }
    assert!(child.wait().unwrap().success());
}

/// The child of the test above, which starts it and stops it.
#[test]
#[ignore = "started by time_in_which_the_process_is_stopped_does_not_count"]
fn a_run_that_takes_a_while() {
    for _ in 0..20 {
        a_healthy_run();
    }
}
