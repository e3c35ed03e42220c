//! The steady state: no memory is lost, and the host never waits until the device has run dry.

use super::place::{Place, torch};
use super::{Check, Outcome};
use crate::error::Error;
use dtrp_core::torch::{DeviceMemory, OnSynchronize};
use std::time::Duration;
use tch::Device;

/// Steps of one program.
const STEPS: u32 = 20;

/// Programs after which everything that a run needs has been allocated. One would do for tensors, but cuBLAS keeps a workspace
/// for every pair of thread and stream, and the threads of each program are new.
const WARM_UP: u32 = 3;

/// Programs after which it is looked at again.
const LATER: u32 = 10;

/// What is looked at: the method itself, one that keeps graphs across updates, one with micro-batches.
const RUNS: [(&str, &[&str]); 3] = [
    ("dtrp K=2", &["method.modules=2"]),
    ("fdg K=4", &["method.name=fdg", "method.modules=4"]),
    (
        "dtrp eager K=4 m=2",
        &["method.modules=4", "method.order=eager", "method.micro_batches=2"],
    ),
];

/// Memory after 60 and 200 steps, and waiting in between.
pub(super) fn checks() -> Vec<Check> {
    let memory = RUNS.map(|(name, sets)| Check::new(format!("memory {name}"), move |place| memory(place, sets)));
    let waiting = RUNS.map(|(name, sets)| Check::new(format!("no waiting {name}"), move |place| waiting(place, sets)));
    memory.into_iter().chain(waiting).collect()
}

fn memory(place: &Place, sets: &[&str]) -> Result<Outcome, Error> {
    let mut run = place.begin(sets)?;
    let mut allocated = |programs: u32| {
        for _ in 0..programs {
            run.train(STEPS)?;
        }
        settled(run.device())
    };
    let (Some(early), Some(late)) = (allocated(WARM_UP)?, allocated(LATER - WARM_UP)?) else {
        return Ok(Outcome::Skipped("the device counts no memory".to_owned()));
    };
    let told = format!(
        "{early} bytes after {} steps, {late} after {}",
        WARM_UP * STEPS,
        LATER * STEPS
    );
    Ok(match late <= early {
        true => Outcome::Ok(told),
        false => Outcome::Failed(told),
    })
}

/// Bytes of tensors on the device once they no longer change: backward threads drop their last buffers a little late.
fn settled(device: Device) -> Result<Option<u64>, Error> {
    let allocated = || {
        let memory = DeviceMemory::of(device).map_err(torch)?;
        Ok::<_, Error>(memory.map(|memory| memory.allocated))
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

fn waiting(place: &Place, sets: &[&str]) -> Result<Outcome, Error> {
    let mut run = place.begin(sets)?;
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
    let told = format!("{reads} numbers waited for in {STEPS} steps");
    Ok(match reads {
        0 => Outcome::Ok(told),
        _ => Outcome::Failed(told),
    })
}
