//! What is wrong is found before a thread starts, as a typed error.

use crate::tiny;
use dtrp_core::schedule::{Action, Op};
use dtrp_train::schedule::{Bp, Dtrp, Fdg, Gpipe};
use dtrp_train::{Cuts, Data, ImageShape, TrainError, Training};

/// The error of a training that cannot be built.
fn refused(training: Training) -> TrainError {
    match training.build() {
        Ok(_) => panic!("it was built"),
        Err(error) => error,
    }
}

#[test]
fn each_kind_is_its_own() {
    macro_rules! is {
        ($training:expr, $kind:pat, $says:literal) => {
            let error = refused($training);
            assert!(matches!(error, $kind), "{error:?}");
            assert!(error.to_string().contains($says), "{error}");
        };
    }
    is!(
        tiny(Dtrp::new(2)).epochs(0),
        TrainError::Setting(_),
        "run.epochs is 0, but must be at least 1"
    );
    is!(tiny(Dtrp::new(0)), TrainError::Setting(_), "method.modules is 0");
    is!(
        tiny(Dtrp::new(9)),
        TrainError::Model(_),
        "4 blocks and cannot be cut into 9 modules"
    );
    is!(
        tiny(Dtrp::new(2)).cuts([9]),
        TrainError::Model(_),
        "[9] do not make 2 modules of 4 blocks"
    );
    is!(
        tiny(Dtrp::new(2)).predictor("momentun"),
        TrainError::Predictor { plugin: false, .. },
        "did you mean `momentum`?"
    );
    is!(
        tiny(Dtrp::new(2)).device("cuda:7"),
        TrainError::Device { .. },
        "device cuda:7 is not available"
    );
    is!(
        tiny(Dtrp::new(2)).device("tpu"),
        TrainError::Device { .. },
        "the devices are cpu and cuda:N"
    );
    is!(
        tiny(Dtrp::new(2)).init_from("nowhere.safetensors"),
        TrainError::InitFrom { .. },
        "model.init_from: nowhere.safetensors"
    );
    is!(
        tiny(Gpipe::new(2).micro_batches(64)),
        TrainError::Fit(_),
        "cannot be split into method.micro_batches = 64"
    );
    let program = Fdg::new(2).batches(50).program().unwrap();
    is!(
        tiny(Dtrp::new(2)).program(program),
        TrainError::Fit(_),
        "method.program has 50 batches"
    );
    let mut program = Fdg::new(2).batches(2).program().unwrap();
    program.workers[1].retain(|action: &Action| action.op != Op::SendD);
    is!(
        tiny(Dtrp::new(2)).program(program),
        TrainError::Program { path: None, .. },
        "worker"
    );
    is!(
        tiny(Dtrp::new(2)).cuts(Cuts::Auto).memory_budget(1),
        TrainError::Partition(_),
        "the least that is enough"
    );
}

#[test]
fn data_of_the_caller_is_checked_sample_by_sample() {
    let shape = ImageShape::new(1, 2, 2);
    let of = |train: Vec<(Vec<u8>, u32)>| Data::of_samples("mine", shape, 2, train, [(vec![0; 4], 0)]);
    assert!(of(vec![(vec![0; 4], 1)]).is_ok());
    for (samples, says) in [
        (vec![], "no samples"),
        (vec![(vec![0; 4], 0), (vec![0; 3], 0)], "sample 1"),
        (vec![(vec![0; 4], 2)], "sample 0"),
    ] {
        let error = of(samples).err().unwrap();
        assert!(matches!(error, TrainError::Data(_)), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn divergence_says_where() {
    let training = tiny(Bp::new(1)).optimizer(dtrp_train::Sgd::new(1e30));
    let error = training.build().unwrap().fit().unwrap_err();
    assert!(matches!(error, TrainError::Diverged(_)), "{error:?}");
    assert!(error.to_string().contains("at epoch 1, step"), "{error}");
}

#[test]
fn what_has_no_effect_is_told() {
    let keys = |training: Training| {
        let trainer = training.build().unwrap();
        let told = trainer.unused().iter().filter(|unused| unused.set);
        told.map(|unused| unused.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(tiny(Dtrp::new(2))), Vec::<&str>::new());
    assert_eq!(keys(tiny(Dtrp::new(2)).auxiliary("conv")), ["method.auxiliary"]);
    assert_eq!(keys(tiny(Fdg::new(2)).predictor("damped")), ["method.predictor"]);
    let loss = dtrp_train::torch::CrossEntropy { label_smoothing: 0.1 };
    assert_eq!(
        keys(tiny(Dtrp::new(2)).label_smoothing(0.1).loss(loss)),
        ["optimizer.label_smoothing"]
    );
}
