//! The steady state: no memory is lost, and the host never waits until the device has run dry.

use super::place::{Place, torch};
use super::{Check, Outcome};
use dtrp_core::torch::{DeviceMemory, OnSynchronize};

/// Steps after which everything that a run needs has been allocated.
const WARM: u32 = 20;

/// Steps at which it is looked at again.
const LATER: u32 = 200;

/// What is looked at: the method itself, one that keeps graphs across updates, one with micro-batches.
const RUNS: [(&str, &[&str]); 3] = [
    ("dtrp K=2", &["method.modules=2"]),
    ("fdg K=4", &["method.name=fdg", "method.modules=4"]),
    (
        "dtrp eager K=4 m=2",
        &[
            "method.modules=4",
            "method.order=eager",
            "method.micro_batches=2",
        ],
    ),
];

/// Memory after 20 and 200 steps, and waiting in between.
pub(super) fn checks() -> Vec<Check> {
    let memory = RUNS
        .map(|(name, sets)| Check::new(format!("memory {name}"), move |place| memory(place, sets)));
    let waiting = RUNS.map(|(name, sets)| {
        Check::new(format!("no waiting {name}"), move |place| {
            waiting(place, sets)
        })
    });
    memory.into_iter().chain(waiting).collect()
}

fn memory(place: &Place, sets: &[&str]) -> Result<Outcome, crate::error::Error> {
    let mut run = place.begin(sets)?;
    let device = run.device();
    run.train(WARM)?;
    let Some(early) = DeviceMemory::of(device).map_err(torch)? else {
        return Ok(Outcome::Skipped("the device counts no memory".to_owned()));
    };
    run.train(LATER - WARM)?;
    let Some(late) = DeviceMemory::of(device).map_err(torch)? else {
        return Ok(Outcome::Skipped("the device counts no memory".to_owned()));
    };
    let told = format!(
        "{} bytes after {WARM} steps, {} after {LATER}",
        early.allocated, late.allocated
    );
    Ok(match late.allocated <= early.allocated {
        true => Outcome::Ok(told),
        false => Outcome::Failed(told),
    })
}

fn waiting(place: &Place, sets: &[&str]) -> Result<Outcome, crate::error::Error> {
    let mut run = place.begin(sets)?;
    run.train(WARM)?;
    let before = run.blocking_reads();
    // An operator that makes the host wait now fails, and so does the check.
    if !OnSynchronize::Fail.set() {
        return Ok(Outcome::Skipped("this libtorch cannot tell".to_owned()));
    }
    let trained = run.train(WARM);
    OnSynchronize::Allow.set();
    trained?;
    let reads = run.blocking_reads() - before;
    let told = format!("{reads} numbers waited for in {WARM} steps");
    Ok(match reads {
        0 => Outcome::Ok(told),
        _ => Outcome::Failed(told),
    })
}
