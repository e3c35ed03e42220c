//! bf16 and channels-last, on the CPU and on a GPU.

use crate::alone;
use crate::run::{Run, difference, state};
use dtrp_core::schedule::Order;
use dtrp_core::torch::{Mode, Pass, Precision, TorchStage};
use std::collections::HashMap;
use tch::{Device, Kind};

fn devices() -> Vec<Device> {
    if tch::Cuda::is_available() {
        return vec![Device::Cpu, Device::Cuda(0)];
    }
    eprintln!("on the CPU only: libtorch is for CUDA but sees no GPU");
    vec![Device::Cpu]
}

fn bf16(device: Device, run: Run) -> Run {
    Run {
        precision: Precision::Bf16,
        devices: vec![device],
        ..run
    }
}

#[test]
fn recomputing_in_bf16_gives_what_the_forward_gave() {
    let _turn = alone();
    for device in devices() {
        let still = |method, order| {
            bf16(
                device,
                Run {
                    order,
                    rate: 0.0,
                    ..Run::new(method, 3)
                },
            )
            .spy()
        };
        let bp = still("bp", None);
        let dtrp = still("dtrp", Some(Order::Lockstep));
        for (ours, theirs) in dtrp.iter().zip(&bp) {
            for (ours, theirs) in [(&ours.outputs, &theirs.outputs), (&ours.deltas, &theirs.deltas)] {
                assert_eq!(ours.len(), theirs.len());
                for (batch, tensor) in ours {
                    assert_eq!(tensor.kind(), Kind::BFloat16, "batch {batch} on {device:?}");
                    assert!(tensor.equal(&theirs[batch]), "batch {batch} on {device:?}");
                }
            }
        }
    }
}

/// The output of the only module for some images, with its current weights.
fn look(run: &Run, stage: &TorchStage) -> tch::Tensor {
    let (images, _) = run.data(1);
    let (_, device) = stage.module().options();
    let pass = Pass {
        mode: Mode::Evaluate,
        seed: 1,
        batch: 1,
        block: 0,
    };
    let images = images.to_device(device);
    let outputs = tch::no_grad(|| stage.module().forward(stage.weights(), &[images], pass)).unwrap();
    let [logits] = outputs.try_into().unwrap();
    logits
}

#[test]
fn an_update_is_seen_by_the_next_pass_in_bf16() {
    let _turn = alone();
    for device in devices() {
        let run = bf16(device, Run::new("bp", 1));
        let mut stages = run.stages();
        let before = look(&run, &stages[0]);
        stages[0].begin(0, Some(run.source()));
        run.train(&mut stages);
        let after = look(&run, &stages[0]);
        // The same weights in a stage that has never seen others.
        let mut fresh = run.stages();
        fresh[0].load(&HashMap::from_iter(state(&stages))).unwrap();
        assert!(after.equal(&look(&run, &fresh[0])), "{device:?}");
        assert!(!after.equal(&before), "{device:?}");
    }
}

#[test]
fn bf16_computes_what_f32_computes_roughly_and_keeps_its_weights_in_f32() {
    let _turn = alone();
    for device in devices() {
        let run = Run::new("dtrp", 2);
        let exact = run.weights();
        let rough = bf16(device, run).weights();
        for (name, tensor) in &exact {
            assert_eq!(rough[name].kind(), Kind::Float, "{name}");
            // bf16 has 8 bits of mantissa; seven batches at this rate move no weight by more than about 1.
            let difference = difference(tensor, &rough[name]);
            assert!(difference < 0.25, "{name} on {device:?}: {difference}");
        }
        let name = "conv1.weight";
        assert!(difference(&exact[name], &rough[name]) > 0.0);
    }
}

#[test]
fn channels_last_changes_the_layout_and_not_the_numbers() {
    let _turn = alone();
    for device in devices() {
        for (method, predictor) in [("dtrp", "momentum"), ("pipedream", "none")] {
            let run = Run {
                predictor,
                kind: Kind::Double,
                devices: vec![device],
                ..Run::new(method, 2)
            };
            let last = Run {
                channels_last: true,
                ..run.clone()
            };
            let stages = last.stages();
            let weight = &stages[0].weights().leaves[0];
            let [_, inputs, height, width] = weight.size()[..] else {
                panic!("the first parameter is a convolution's");
            };
            assert_eq!(weight.stride(), [inputs * height * width, 1, width * inputs, inputs]);
            let (plain, last) = (run.weights(), last.weights());
            for (name, tensor) in &plain {
                assert_eq!(tensor.size(), last[name].size());
                assert!(last[name].is_contiguous(), "{name}: as it is written to files");
                let difference = difference(tensor, &last[name]);
                assert!(difference < 1e-10, "{name} on {device:?}: {difference:e}");
            }
        }
    }
}
