//! What comes out does not depend on how it was asked for.

use crate::tiny;
use dtrp_core::engine::Executor;
use dtrp_core::torch::Sgd;
use dtrp_train::schedule::{Dtrp, Method, Plan};
use dtrp_train::torch::{CrossEntropy, Dtype};
use dtrp_train::{Cuts, Settings, Trainer, Training};

/// All weights, as numbers.
fn weights(mut trainer: Trainer) -> Vec<(String, Vec<f64>)> {
    trainer.fit().unwrap();
    let tensors = trainer.snapshot().unwrap().tensors();
    let numbers =
        |tensor: &tch::Tensor| Vec::<f64>::try_from(tensor.flatten(0, -1).to_kind(tch::Kind::Double)).unwrap();
    tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), numbers(tensor)))
        .collect()
}

#[test]
fn ways_to_ask_for_the_same() {
    let expected = weights(tiny(Dtrp::new(2).lockstep()).build().unwrap());
    let same = |training: Training| assert!(weights(training.build().unwrap()) == expected);
    // Method by name, the other executor, the loss and the optimizer as objects, the cuts by hand.
    same(tiny((Method::named("dtrp").unwrap(), Plan::new(2, 1))));
    same(tiny(Dtrp::new(2)).executor(Executor::Sequential));
    same(tiny(Dtrp::new(2)).loss(CrossEntropy { label_smoothing: 0.0 }));
    same(tiny(Dtrp::new(2)).optimizer_with(0.05, |_| Box::new(Sgd::new().momentum(0.9).weight_decay(1e-4))));
    same(tiny(Dtrp::new(2)).cuts([2]));
    // By settings alone, as a configuration file has them.
    let trainer = tiny(Dtrp::new(2)).build().unwrap();
    let text = serde_json::to_string(trainer.settings()).unwrap();
    let mut settings: Settings = serde_json::from_str(&text).unwrap();
    settings.model.options.insert("width".to_owned(), 4.into());
    same(Training::from_settings(settings).unwrap());
}

#[test]
fn epoch_by_epoch_is_the_same_run() {
    let expected = weights(tiny(Dtrp::new(2)).build().unwrap());
    let mut trainer = tiny(Dtrp::new(2)).build().unwrap();
    let first = trainer.epoch().unwrap();
    assert_eq!((first.epoch, first.step), (1, 3));
    trainer.evaluate().unwrap();
    trainer.epoch().unwrap();
    assert!(trainer.epoch().unwrap_err().to_string().contains("the run is over"));
    assert!(weights(trainer) == expected);
}

#[test]
fn measured_cuts_are_in_the_settings() {
    let mut trainer = tiny(Dtrp::new(2)).cuts(Cuts::Auto).build().unwrap();
    let Cuts::At(cuts) = trainer.settings().method.cuts.clone() else {
        panic!()
    };
    assert_eq!(cuts, [trainer.ranges()[1].start]);
    assert_eq!(trainer.costs().unwrap().blocks.len(), 4);
    trainer.fit().unwrap();
    let again = tiny(Dtrp::new(2)).cuts(Cuts::At(cuts)).build().unwrap();
    let numbers = |trainer: &Trainer| trainer.snapshot().unwrap().tensors().len();
    assert_eq!(numbers(&trainer), numbers(&again));
    let measured = weights(trainer);
    assert!(measured == weights(again));
}

#[test]
fn double_precision_and_a_plan() {
    let trainer = tiny(Dtrp::new(2)).dtype(Dtype::F64).build().unwrap();
    let plan = trainer.plan().unwrap();
    assert_eq!(
        (plan.length.steps, plan.length.updates, plan.length.epochs()),
        (6, 6, 2.0)
    );
    let [lower, upper] = plan.modules.as_slice() else {
        panic!()
    };
    // Batches of 32 images of 8 x 8 in double precision: two inputs wait at the lower module, none at the upper one.
    assert_eq!((lower.stored_inputs, lower.stored_bytes), (2, 2 * 32 * 64 * 8));
    assert_eq!((upper.stored_inputs, upper.stored_bytes), (0, 0));
    assert_eq!(
        lower.parameters + upper.parameters,
        trainer.parameters().iter().sum::<usize>()
    );
}
