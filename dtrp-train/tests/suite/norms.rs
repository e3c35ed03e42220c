//! Batch norm over a single value for each channel: refused before training, with the batch, the block and what to do.

use crate::support::{build, refused, stripes};
use dtrp_core::torch::{Block, BlockSpec, BufferId, Init, ParamId, Pass, Role, Vars};
use dtrp_models::layers::{Linear, average_pool};
use dtrp_train::schedule::{Bp, Local, Method};
use dtrp_train::{Sgd, TrainError, Training};
use serde_json::{Value, json};
use tch::{TchError, Tensor};

/// A ResNet whose upper stages have maps of one pixel.
fn resnet18(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let mut changes = vec![
        ("model", json!({"name": "resnet", "depth": 18})),
        ("data.batch_size", json!(64)),
        ("data.limit", json!(65)),
    ];
    changes.extend(more.iter().cloned());
    changes
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message}\nwanted: {part}");
    }
}

#[test]
fn a_last_batch_of_one_is_refused_for_every_method() {
    for method in Method::all() {
        let changes = resnet18(&[
            ("method.name", json!(method.name)),
            ("method.auxiliary", json!("linear-pool")),
        ]);
        let parts = [
            "batch 2, the last of an epoch of 65 samples, has 1 sample:",
            "data.drop_last: true",
        ];
        says(&refused(&changes), &parts);
    }
    says(
        &refused(&resnet18(&[("method.name", json!("bp")), ("method.modules", json!(1))])),
        &["batch norm of `layer2.0.bn1.weight` in block `layer2.0`"],
    );
    for change in [
        ("data.drop_last", json!(true)),
        ("data.limit", json!(66)),
        ("run.max_steps", json!(1)),
    ] {
        assert!(build(&resnet18(std::slice::from_ref(&change))).is_ok(), "{change:?}");
    }
}

#[test]
fn micro_batches_and_batches_of_one_are_refused() {
    let micro = resnet18(&[
        ("data.limit", json!(8)),
        ("data.batch_size", json!(8)),
        ("method.name", json!("gpipe")),
        ("method.micro_batches", json!(8)),
    ]);
    says(
        &refused(&micro),
        &[
            "batch 1 has 8 samples, in micro-batches (method.micro_batches: 8) of 1",
            "fewer method.micro_batches",
        ],
    );
    // Of eight samples in five micro-batches some have one.
    let uneven = [micro.as_slice(), &[("method.micro_batches", json!(5))]].concat();
    says(&refused(&uneven), &["of 1:"]);
    let even = [micro.as_slice(), &[("method.micro_batches", json!(4))]].concat();
    assert!(build(&even).is_ok());
    let single = resnet18(&[("data.limit", json!(8)), ("data.batch_size", json!(1))]);
    says(&refused(&single), &["batch 1 has 1 sample:", "larger data.batch_size"]);
}

#[test]
fn auxiliary_heads_count_too() {
    // The network itself has no norm; the `mlp` head pools 4 x 4 pixels to one.
    let head = |samples| {
        let network = vec![average(2), classifier()];
        let data = stripes(4, samples).batch_size(4);
        let method = Local::new(2);
        Training::new(network, data).method(method).auxiliary("mlp").build()
    };
    assert!(head(8).is_ok());
    let message = head(9).err().map(|error| error.to_string()).unwrap_or_default();
    says(
        &message,
        &["batch 3", "the auxiliary head `auxiliary1`", "data.drop_last: true"],
    );
}

#[test]
fn batches_that_compensation_has_made_are_checked() {
    // 13 batches of 5. Whatever multiple of 8 `fill` takes that is a power of two, one sample is left.
    let changes = resnet18(&[
        ("data.batch_size", json!(5)),
        ("method.batch_compensation", json!({"fill": true})),
    ]);
    let message = refused(&changes);
    says(&message, &["1 sample", "data.drop_last: true"]);
}

/// Pools to `side` × `side` pixels.
fn average(side: i64) -> BlockSpec {
    struct Average(i64);
    impl Block for Average {
        fn forward(&self, _: &Vars<'_>, x: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
            x.f_adaptive_avg_pool2d([self.0; 2])
        }
    }
    BlockSpec::build("average", |_| Average(side))
}

fn classifier() -> BlockSpec {
    struct Classifier(Linear);
    impl Block for Classifier {
        fn forward(&self, vars: &Vars<'_>, x: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
            self.0.forward(vars, &average_pool(x, [1, 1])?)
        }
    }
    BlockSpec::build("classifier", |scope| {
        Classifier(Linear::torch(&mut scope.sub("fc"), 1, 2))
    })
}

/// A block of somebody else's, which calls libtorch's batch norm and tells nobody.
struct Silent {
    weight: ParamId,
    mean: BufferId,
    variance: BufferId,
}

impl Block for Silent {
    fn forward(&self, vars: &Vars<'_>, x: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let running = pass.mode != dtrp_core::torch::Mode::TrainKeepingStatistics;
        let of = |id: BufferId| running.then(|| &vars[id]);
        let (mean, variance) = (of(self.mean), of(self.variance));
        let x = x.f_adaptive_avg_pool2d([1, 1])?;
        x.f_batch_norm(
            Some(&vars[self.weight]),
            None::<&Tensor>,
            mean,
            variance,
            pass.training(),
            0.1,
            1e-5,
            true,
        )
    }
}

#[test]
fn a_norm_that_tells_nobody_is_named_when_it_has_done_harm() {
    let silent = BlockSpec::build("silent", |scope| Silent {
        weight: scope.param("own.weight", &[1], Role::BiasOrNorm, Init::Constant(1.0)),
        mean: scope.buffer("own.running_mean", &[1], 0.0),
        variance: scope.buffer("own.running_var", &[1], 1.0),
    });
    let data = stripes(4, 9).batch_size(4);
    let training = Training::new(vec![silent, classifier()], data)
        .method(Bp::new(1))
        .optimizer(Sgd::new(0.01));
    let error = training.epochs(1).build().unwrap().fit().unwrap_err();
    assert!(matches!(error, TrainError::Fit(_)), "{error:?}");
    let message = error.to_string();
    says(
        &message,
        &["own.running_var", "NaN", "a single value", "data.drop_last: true"],
    );
    assert!(!message.contains("diverged"), "{message}");
}
