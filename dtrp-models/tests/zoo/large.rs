//! Very deep and very wide networks, built and trained for a few steps; they take minutes and gigabytes:
//!
//! ```sh
//! DTRP_LARGE=1 cargo nextest run -p dtrp-models --test zoo large --no-capture
//! ```

use crate::training::{Images, stages};
use dtrp_core::engine::{self, EngineOptions, Executor};
use dtrp_core::schedule::{Method, Plan};
use dtrp_models::{ModelInput, build, option_values, split_evenly};
use std::sync::{Arc, Mutex};
use std::time::Instant;

const LARGE: &str = "DTRP_LARGE";
const INPUT: ModelInput = ModelInput {
    channels: 3,
    height: 32,
    width: 32,
    classes: 10,
};

fn train(family: &str, depth: usize, width: usize, modules: usize, batches: u32, samples: i64) {
    let what = format!("{family} depth {depth} width {width} K={modules}");
    if std::env::var_os(LARGE).is_none() {
        println!("{what}: skipped; set {LARGE}=1 to train it");
        return;
    }
    let start = Instant::now();
    let choice = option_values([("depth", depth.into()), ("width", width.into())]);
    let network = build(family, &choice, &INPUT).unwrap();
    let parameters = network.parameters();
    let ranges = split_evenly(network.blocks.len(), modules).unwrap();
    let mut stages = stages("dtrp", network, &ranges, vec![], |_| 0.01);
    let built = start.elapsed();

    let losses = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&losses);
    stages[modules - 1].on_loss(move |event| told.lock().unwrap().push(event.loss));
    stages[0].begin(0, Some(Box::new(Images { samples, input: INPUT })));
    let method = Method::named("dtrp").unwrap();
    let program = method.program(&Plan::new(modules, batches)).unwrap();
    let run = EngineOptions {
        executor: Executor::Threads,
        ..EngineOptions::default()
    };
    let start = Instant::now();
    engine::run(&program, &mut stages, &run).unwrap();
    let losses = losses.lock().unwrap();
    println!(
        "{what}: {parameters} parameters, built in {built:.1?}, {batches} batches of {samples} in {:.1?}, {} MiB at most, \
         losses {losses:.3?}",
        start.elapsed(),
        peak_kib() / 1024
    );
    assert_eq!(losses.len(), batches as usize);
    assert!(losses.iter().all(|loss| loss.is_finite()));
    for stage in &stages {
        assert_eq!(stage.metrics().updates, u64::from(batches));
    }
}

/// The most memory that this process ever held, where the system tells.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

#[test]
fn very_deep() {
    train("resnet-cifar", 1202, 16, 8, 16, 4);
}

#[test]
fn very_wide() {
    train("wide-resnet-cifar", 28, 10, 2, 6, 4);
}

#[test]
fn wider_still() {
    train("wide-resnet-cifar", 28, 20, 3, 6, 2);
}
