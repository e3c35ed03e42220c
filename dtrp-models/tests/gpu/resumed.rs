//! Runs on GPUs that are saved and restored between any two actions.

use crate::hand::check;
use crate::run::Run;
use crate::{alone, streams};
use dtrp_core::engine::Stage;
use dtrp_core::schedule::{Order, Unit};
use dtrp_core::torch::{Adam, TorchError};

#[test]
fn a_run_on_two_gpus_goes_on_from_any_moment() {
    let _turn = alone();
    if !streams::gpu() {
        return;
    }
    for (method, predictor, micro_batches) in [
        ("dtrp", "momentum", 1),
        ("dtrp", "adaptive", 1),
        ("spectrain", "difference", 1),
        ("fdg", "none", 1),
        ("gpipe", "none", 2),
        ("local", "none", 1),
    ] {
        let run = Run {
            devices: streams::two().to_vec(),
            predictor,
            micro_batches,
            batches: 4,
            ..Run::new(method, 2)
        };
        check(&run);
        streams::assert_no_races(method);
    }
    let run = Run {
        devices: streams::two().to_vec(),
        optimizer: Some(|_| Box::new(Adam::new())),
        predictor: "adam",
        batches: 4,
        order: Some(Order::Eager),
        ..Run::new("dtrp", 3)
    };
    check(&run);
    streams::assert_no_races("adam");
}

/// A loss that has not arrived from the device would be lost.
#[test]
fn a_stage_is_saved_when_its_thread_has_left() {
    let _turn = alone();
    if !streams::simulated() {
        return;
    }
    let run = Run {
        devices: streams::GPU.to_vec(),
        ..Run::new("bp", 1)
    };
    let mut stage = run.stages().remove(0);
    stage.begin(0, Some(run.source()));
    stage.enter();
    let unit = Unit::batch(1);
    let input = stage.input(unit).unwrap();
    stage.forward_graph(unit, input, None).unwrap();
    let busy = stage.save().unwrap_err();
    assert!(matches!(busy, TorchError::Busy { module: 1, .. }), "{busy}");
    stage.leave().unwrap();
    stage.save().unwrap();
}
