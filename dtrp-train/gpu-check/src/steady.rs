//! The steady state: no memory is lost, and the host never waits until the device has run dry.

use crate::place::{Place, Run, small};
use crate::{Check, Outcome};
use dtrp_core::schedule::Order;
use dtrp_core::torch::{DeviceMemory, OnSynchronize, TorchError};
use dtrp_train::BoxError;
use dtrp_train::settings::MethodSettings;
use std::time::Duration;
use tch::Device;

/// Steps of one program.
const STEPS: u32 = 20;

/// Programs after which everything that a run needs has been allocated. One would do for tensors, but cuBLAS keeps a workspace
/// for every pair of thread and stream, and the threads of each program are new.
const WARM_UP: u32 = 3;

/// Programs after which it is looked at again.
const LATER: u32 = 10;

/// A name, and what the run changes in the method's settings.
type Changed = (&'static str, fn(&mut MethodSettings));

/// What is looked at: the method itself, one that keeps graphs across updates, one with micro-batches.
const RUNS: [Changed; 3] = [
    ("dtrp K=2", |method| method.modules = 2),
    ("fdg K=4", |method| {
        method.name = "fdg".to_owned();
        method.modules = 4;
    }),
    ("dtrp eager K=4 m=2", |method| {
        (method.modules, method.micro_batches) = (4, 2);
        method.order = Some(Order::Eager);
    }),
];

/// Memory after 60 and 200 steps, and waiting in between.
pub(crate) fn checks() -> Vec<Check> {
    let check = |kind: &str, (name, change): Changed, body: fn(Run) -> Result<Outcome, BoxError>| {
        Check::new(format!("{kind} {name}"), move |place: &Place| {
            let mut settings = small();
            change(&mut settings.method);
            body(place.begin(&settings)?)
        })
    };
    let memory = RUNS.map(|run| check("memory", run, memory));
    let waiting = RUNS.map(|run| check("no waiting", run, waiting));
    memory.into_iter().chain(waiting).collect()
}

fn memory(mut run: Run) -> Result<Outcome, BoxError> {
    let mut allocated = |programs: u32| {
        for _ in 0..programs {
            run.train(STEPS)?;
        }
        Ok::<_, BoxError>(settled(run.device())?)
    };
    let (Some(early), Some(late)) = (allocated(WARM_UP)?, allocated(LATER - WARM_UP)?) else {
        return Ok(Outcome::Skipped("the device counts no memory".to_owned()));
    };
    let found = format!(
        "{early} bytes after {} steps, {late} after {}",
        WARM_UP * STEPS,
        LATER * STEPS
    );
    Ok(Outcome::of(late <= early, found))
}

/// Bytes of tensors on the device once they no longer change: backward threads drop their last buffers a little late.
fn settled(device: Device) -> Result<Option<u64>, TorchError> {
    let allocated = || {
        let memory = DeviceMemory::of(device)?;
        Ok::<_, TorchError>(memory.map(|memory| memory.allocated))
    };
    let mut last = allocated()?;
    let mut same = 0;
    for _ in 0..100 {
        if same == 5 || last.is_none() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        let now = allocated()?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}

fn waiting(mut run: Run) -> Result<Outcome, BoxError> {
    run.train(STEPS)?;
    let before = run.blocking_reads();
    // An operator that makes the host wait now fails, and so does the check.
    if !OnSynchronize::Fail.set() {
        return Ok(Outcome::Skipped("this libtorch cannot tell".to_owned()));
    }
    let trained = run.train(STEPS);
    OnSynchronize::Allow.set();
    trained?;
    let reads = run.blocking_reads() - before;
    let found = format!("{reads} numbers waited for in {STEPS} steps");
    Ok(Outcome::of(reads == 0, found))
}
