//! What is wrong is found before a thread starts, as a typed error.

use crate::tiny;
use dtrp_core::schedule::{Action, Op};
use dtrp_models::auxiliary::{HeadInput, HeadKind};
use dtrp_models::inventory;
use dtrp_models::layers::Linear;
use dtrp_train::schedule::{Bp, Dtrp, Fdg, Gpipe, Local};
use dtrp_train::tch::{TchError, Tensor};
use dtrp_train::torch::{Block, BlockSpec, Loss, Pass, TorchError, Vars};
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

/// Shapes that do not fit, as an error of libtorch or as the panic of a call that was unwrapped.
struct Misfit {
    panics: bool,
}

impl Loss for Misfit {
    fn of(&self, output: &Tensor, _: &Tensor) -> Result<Tensor, TorchError> {
        let other = output.f_reshape([1, -1])?;
        if self.panics {
            return Ok(other.matmul(&other));
        }
        Ok(other.f_matmul(&other)?)
    }
}

#[test]
fn what_libtorch_says_comes_without_its_stack() {
    for panics in [false, true] {
        let training = tiny(Bp::new(1)).loss(Misfit { panics });
        let error = training.build().unwrap().fit().unwrap_err();
        let mut whole = error.to_string();
        let mut below = std::error::Error::source(&error);
        while let Some(error) = below {
            whole.push_str(&format!("\n{error}"));
            below = error.source();
        }
        assert!(whole.contains("shapes cannot be multiplied"), "{whole}");
        assert!(
            !whole.contains("frame #") && !whole.contains("Exception raised"),
            "{whole}"
        );
    }
}

inventory::submit!(HeadKind::new("misfit", "takes one feature too many", |input| {
    misfit(input)
}));

fn misfit(input: &HeadInput<'_>) -> BlockSpec {
    let [channels, height, width] = input.shape.map(|n| n as i64);
    let classes = input.classes as i64;
    BlockSpec::build(input.name, |scope| {
        let features = channels * height * width + 1;
        Flat(Linear::torch(&mut scope.sub(input.name).sub("fc"), features, classes))
    })
}

struct Flat(Linear);

impl Block for Flat {
    fn forward(&self, vars: &Vars<'_>, features: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
        self.0.forward(vars, &features.f_flatten(1, -1)?)
    }
}

/// Shapes of auxiliary heads are found before training, in libtorch's words without its stack.
#[test]
fn a_head_that_does_not_fit_is_found_when_the_trainer_is_built() {
    let error = refused(tiny(Local::new(2)).auxiliary("misfit"));
    assert!(matches!(error, TrainError::Model(_)), "{error:?}");
    let error = error.to_string();
    assert!(
        error.contains("auxiliary1") && error.contains("cannot be multiplied"),
        "{error}"
    );
    assert!(!error.contains("frame #"), "{error}");
}
