//! Files of costs: what is read is written and read back as itself, and can be summed, cut and simulated.

#![no_main]

use dtrp_cli::fuzzing::costs;
use dtrp_core::costs::Load;
use dtrp_core::partition::partition;
use dtrp_core::schedule::{Dtrp, Schedule};
use dtrp_core::simulate::{SimulationOptions, simulate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(read) = costs(text) else {
        return;
    };
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(costs(&written).as_ref(), Ok(&read), "{written}");
    let blocks = read.blocks.len();
    if !(2..=64).contains(&blocks) {
        return;
    }
    let program = Dtrp::new(2).batches(5).program().unwrap();
    let loads = Load::of(&program).unwrap();
    let _ = partition(&read, &loads, Some(1 << 30));
    let best = partition(&read, &loads, None).unwrap();
    let modules = read.modules(&best.modules).unwrap();
    let _ = simulate(&program, &modules, &SimulationOptions::default());
});
