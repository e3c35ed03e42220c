//! Every method, on one GPU and on two: equal to the CPU, without a race between streams, and without the host waiting.

use crate::alone;
use crate::run::{Run, difference, state};
use dtrp_core::engine::Executor;
use dtrp_core::schedule::{Method, Order};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Whether there is a GPU, simulated or real; says so if not.
pub(crate) fn gpu() -> bool {
    let found = tch::Cuda::is_available();
    if !found {
        eprintln!("skipped: libtorch is for CUDA but sees no GPU");
    }
    found
}

/// Whether races and waits are counted; says so if not.
pub(crate) fn simulated() -> bool {
    if !dtrp_simulated_gpu::AVAILABLE {
        eprintln!("skipped: libtorch is for CUDA, so no GPU is simulated");
    }
    dtrp_simulated_gpu::AVAILABLE
}

/// Two GPUs, or the only one twice.
pub(crate) fn two() -> [Device; 2] {
    let count = tch::Cuda::device_count().max(1) as usize;
    [Device::Cuda(0), Device::Cuda(1 % count)]
}

pub(crate) const GPU: [Device; 1] = [Device::Cuda(0)];

fn on(devices: &[Device], run: Run) -> Run {
    Run {
        devices: devices.to_vec(),
        kind: Kind::Double,
        executor: Executor::Threads,
        ..run
    }
}

/// Fails unless both hold the same names with nearly the same values: sums on a GPU may be made in another order.
fn assert_close(what: &str, a: &BTreeMap<String, Tensor>, b: &BTreeMap<String, Tensor>) {
    assert!(a.keys().eq(b.keys()), "{what}: names");
    for (name, tensor) in a {
        let difference = difference(tensor, &b[name]);
        assert!(difference < 1e-10, "{what}: {name} differs by {difference:e}");
    }
}

pub(crate) fn assert_no_races(what: &str) {
    let races = dtrp_simulated_gpu::races();
    assert!(races.is_empty(), "{what}: {}", races.join("\n"));
}

#[test]
fn every_method_gives_what_the_cpu_gives() {
    let _turn = alone();
    if !gpu() {
        return;
    }
    for method in Method::all() {
        if !method.gradients {
            // It needs heads, which this network has none of.
            continue;
        }
        for order in method.orders {
            for (modules, devices) in [(1, &GPU[..]), (3, &GPU), (3, &two())] {
                let run = Run {
                    order: Some(*order),
                    ..Run::new(method.name, modules)
                };
                let what = format!("{} {order} K={modules} {devices:?}", method.name);
                let cpu = on(&[Device::Cpu], run.clone()).weights();
                assert_close(&what, &on(devices, run).weights(), &cpu);
                assert_no_races(&what);
            }
        }
    }
}

#[test]
fn the_host_waits_for_nothing_while_training() {
    let _turn = alone();
    if !simulated() {
        return;
    }
    for (method, predictor) in [("dtrp", "momentum"), ("dsp", "none"), ("fdg", "none")] {
        let run = Run {
            predictor,
            batches: 40,
            order: Some(Order::Lockstep),
            ..Run::new(method, 3)
        };
        let run = on(&GPU, run);
        let mut stages = run.stages();
        stages[0].begin(0, Some(run.source()));
        dtrp_simulated_gpu::reset();
        run.train(&mut stages);
        let waits = dtrp_simulated_gpu::waits();
        assert_eq!(waits.hidden, 0, "{method}: {waits:?}");
        assert_eq!(waits.streams, 0, "{method}: {waits:?}");
        // Each worker waits when it enters and when it leaves, and then for what has not arrived yet.
        assert!((6..40).contains(&waits.events), "{method}: {waits:?}");
        let reads = stages.iter().map(|stage| stage.metrics().reads);
        let (blocking, deferred) = reads.fold((0, 0), |(b, d), r| (b + r.blocking, d + r.deferred));
        assert_eq!(blocking, 0, "{method}");
        assert!(deferred >= 40, "{method}: {deferred}");
    }
}

#[test]
fn measured_actions_last_until_the_device_has_done_them() {
    let _turn = alone();
    if !simulated() {
        return;
    }
    let run = Run {
        batches: 10,
        ..Run::new("dtrp", 2)
    };
    let run = on(&GPU, run);
    let events = |wait: bool| {
        let mut stages = run.stages();
        for stage in &mut stages {
            stage.wait_for_device(wait);
        }
        stages[0].begin(0, Some(run.source()));
        dtrp_simulated_gpu::reset();
        run.train(&mut stages);
        dtrp_simulated_gpu::waits().events
    };
    // Module 1: F, R, B and U; module 2: G, B and U. Losses wait less, since they have arrived by then.
    let (without, with) = (events(false), events(true));
    assert!(with >= 70 && without < 30, "{without}, {with}");
}

#[test]
fn every_loss_arrives_in_order_and_as_on_the_cpu() {
    let _turn = alone();
    if !gpu() {
        return;
    }
    let losses = |devices: &[Device]| {
        let run = Run {
            batches: 40,
            micro_batches: 2,
            ..Run::new("dtrp", 2)
        };
        let run = on(devices, run);
        let mut stages = run.stages();
        stages[0].begin(0, Some(run.source()));
        let (send, receive) = std::sync::mpsc::channel();
        stages[1].on_loss(move |event| send.send(event).unwrap());
        run.train(&mut stages);
        receive.try_iter().collect::<Vec<_>>()
    };
    let (cpu, gpu) = (losses(&[Device::Cpu]), losses(&GPU));
    assert_eq!(cpu.len(), 40);
    assert_eq!(gpu.len(), 40);
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        assert_eq!((cpu.batch, cpu.rate), (gpu.batch, gpu.rate));
        assert!((cpu.loss - gpu.loss).abs() < 1e-10, "{cpu:?} {gpu:?}");
    }
}

#[test]
fn each_worker_has_backward_threads_of_its_own() {
    let _turn = alone();
    if !simulated() {
        return;
    }
    let run = on(&GPU, Run::new("dtrp", 3));
    let mut stages = run.stages();
    stages[0].begin(0, Some(run.source()));
    dtrp_simulated_gpu::reset();
    run.train(&mut stages);
    assert_eq!(dtrp_simulated_gpu::backward_threads(), 3);
}

#[test]
fn one_thread_may_run_all_workers() {
    let _turn = alone();
    if !gpu() {
        return;
    }
    let run = on(&two(), Run::new("dtrp", 3));
    let threads = run.weights();
    let one = Run {
        executor: Executor::Sequential,
        ..run
    };
    assert_close("sequential", &one.weights(), &threads);
    assert_no_races("sequential");
}

/// Bytes in use on the first GPU. A backward thread drops the last of its graph when it has told that it is done.
fn settled() -> i64 {
    let sample = || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        dtrp_simulated_gpu::bytes(0)
    };
    std::iter::repeat_with(sample).take(20).min().unwrap()
}

#[test]
fn memory_stays_where_it_was() {
    let _turn = alone();
    if !simulated() {
        return;
    }
    let before = settled();
    let after = |batches| {
        let run = on(
            &GPU,
            Run {
                batches,
                ..Run::new("dtrp", 3)
            },
        );
        let mut stages = run.stages();
        stages[0].begin(0, Some(run.source()));
        run.train(&mut stages);
        stages[0].begin(0, None);
        settled()
    };
    assert_eq!(after(20), after(60));
    assert_eq!(settled(), before);
}

#[test]
fn a_race_is_noticed() {
    let _turn = alone();
    if !simulated() {
        return;
    }
    // Guards the tests above: the weights are made on the default stream, and nothing orders this thread's read after that of
    // another thread.
    let made = std::thread::spawn(|| {
        let run = on(&GPU, Run::new("bp", 1));
        let mut stages = run.stages();
        stages[0].begin(0, Some(run.source()));
        use dtrp_core::engine::Stage;
        stages[0].enter();
        let unit = dtrp_core::schedule::Unit::batch(1);
        let input = stages[0].input(unit).unwrap();
        stages[0].forward_graph(unit, input, None).unwrap();
        stages
    })
    .join()
    .unwrap();
    assert_no_races("one stream");
    // On the default stream, which the worker's is not ordered with.
    let mut weights = made[0].weights().flat.shallow_clone();
    let _ = tch::no_grad(|| weights.zero_());
    assert!(!dtrp_simulated_gpu::races().is_empty());
    let _ = state(&made);
}
