//! Predictions are those of a plain loop over the unsplit network, image by image.

use crate::support::settings;
use dtrp_train::torch::{CrossEntropy, Loss, Mode, Module, Pass};
use dtrp_train::{Data, Model, Part, Predictions, TrainError, Training};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

const SMOOTHING: f64 = 0.1;

/// Trained in three modules with label smoothing, with its weights in a file.
fn trained(more: &[(&str, Value)]) -> (TempDir, PathBuf, dtrp_train::Trainer) {
    let own = [
        ("method.modules", json!(3)),
        ("optimizer.label_smoothing", json!(SMOOTHING)),
        ("data.limit", json!(600)),
        ("data.test_limit", json!(300)),
    ];
    let mut trainer = crate::support::build(&[&own[..], more].concat()).unwrap();
    trainer.fit().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("w.safetensors");
    trainer.save_weights(&weights).unwrap();
    (folder, weights, trainer)
}

/// Labels and logits of the first `count` images of a part, by the whole network in one piece, one image at a time.
fn plain_loop(trainer: &dtrp_train::Trainer, part: Part, count: usize) -> Vec<(usize, Vec<f64>)> {
    let settings = trainer.settings();
    let data = Data::from_settings(&settings.data).unwrap();
    let network = dtrp_models::build(&settings.model.name, &settings.model.options, &data.input()).unwrap();
    let kind = settings.run.dtype.kind();
    let module = Module::new(network.blocks, 0, kind, Device::Cpu).unwrap();
    let arena = module.initial_arena(0).unwrap();
    let tensors: HashMap<_, _> = trainer.snapshot().unwrap().tensors().into_iter().collect();
    module.load(&arena, &tensors).unwrap();
    let split = data.split();
    let set = if part == Part::Train { &split.train } else { &split.test };
    let (shape, normalization) = (set.shape(), split.train.normalization());
    let pass = Pass {
        mode: Mode::Evaluate,
        seed: 0,
        batch: 0,
        block: 0,
    };
    let mut answers = Vec::new();
    for index in 0..count {
        let mut pixels = vec![0; shape.len()];
        let label = set.get(index, &mut pixels).unwrap() as usize;
        let plane = shape.height * shape.width;
        let values: Vec<f64> = pixels
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                let exact = |value: f32| value.to_string().parse::<f64>().unwrap();
                let [mean, std] = [&normalization.mean, &normalization.std].map(|of| exact(of[at / plane]));
                (f64::from(*byte) / 255.0 - mean) / std
            })
            .collect();
        let shape = [1, shape.channels as i64, shape.height as i64, shape.width as i64];
        let image = Tensor::from_slice(&values).view(shape).to_kind(kind);
        let logits = tch::no_grad(|| module.forward(&arena, &[image], pass).unwrap());
        answers.push((label, Vec::try_from(logits[0].to_kind(Kind::Double).view(-1)).unwrap()));
    }
    answers
}

fn compare(predictions: &Predictions, plain: &[(usize, Vec<f64>)]) {
    let classes = plain[0].1.len();
    assert_eq!(predictions.len(), plain.len());
    let mut counts = vec![vec![0; classes]; classes];
    let (mut right, mut top5, mut loss, mut smoothed) = (0, 0, 0.0, 0.0);
    for (sample, (label, logits)) in predictions.samples().zip(plain) {
        assert_eq!(sample.label, *label);
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let own = sum.ln() - logits[*label];
        assert!((f64::from(sample.loss) - own).abs() < 1e-6 * own.max(1.0));
        let mut order: Vec<usize> = (0..classes).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        for (answer, class) in sample.answers.iter().zip(&order) {
            assert_eq!(answer.class, *class);
            assert!((answer.probability - logits[*class].exp() / sum).abs() < 1e-10);
        }
        right += usize::from(order[0] == *label);
        top5 += usize::from(order[..5].contains(label));
        counts[*label][order[0]] += 1;
        loss += own;
        let uniform = sum.ln() - logits.iter().sum::<f64>() / classes as f64;
        smoothed += (1.0 - SMOOTHING) * own + SMOOTHING * uniform;
    }
    let samples = plain.len() as f64;
    assert_eq!(predictions.accuracy(), right as f64 / samples);
    assert_eq!(predictions.top5(), Some(top5 as f64 / samples));
    assert!((predictions.loss() - loss / samples).abs() < 1e-10);
    assert!((predictions.trained_loss() - smoothed / samples).abs() < 1e-10);
    assert_eq!(predictions.confusion().rows(), counts);
}

#[test]
fn they_are_those_of_a_plain_loop() {
    let (_folder, weights, mut trainer) = trained(&[("run.dtype", json!("f64"))]);
    for (part, count) in [(Part::Test, 300), (Part::Train, 600)] {
        let plain = plain_loop(&trainer, part, count);
        compare(&trainer.predict(part).unwrap(), &plain);
        let mut model = Model::open(trainer.settings().clone(), &weights).unwrap();
        compare(&model.predict(part).unwrap(), &plain);
    }
    let predictions = trainer.predict(Part::Test).unwrap();
    assert_eq!(predictions.accuracy(), trainer.evaluate().unwrap().accuracy);
    let worst = predictions.worst(usize::MAX);
    let wrong = predictions.samples().filter(|sample| !sample.is_right()).count();
    assert_eq!(worst.len(), wrong);
    assert!(wrong > 1 && worst.is_sorted_by(|a, b| a.loss >= b.loss));
}

#[test]
fn another_number_of_modules_gives_the_same() {
    let (_folder, weights, mut trainer) =
        trained(&[("method.cuts", json!([1, 2])), ("method.micro_batches", json!(2))]);
    let own = trainer.predict(Part::Test).unwrap();
    for modules in [1, 2] {
        let mut settings = trainer.settings().clone();
        settings.method.modules = modules;
        let mut model = Model::open(settings, &weights).unwrap();
        let other = model.predict(Part::Test).unwrap();
        assert_eq!((own.accuracy(), own.loss()), (other.accuracy(), other.loss()));
        assert_eq!(own.trained_loss(), other.trained_loss());
        assert!(own.samples().eq(other.samples()));
    }
}

/// What a run was trained with, and is no longer there, does not matter: a plug-in, measured costs, a program in a file.
#[test]
fn what_only_training_needs_is_not_asked_for() {
    let (_folder, weights, mut trainer) = trained(&[]);
    let mut settings = settings(&[
        ("data.limit", json!(1)),
        ("data.test_limit", json!(300)),
        ("method.predictor", json!({"plugin": "/nowhere/lib.so"})),
        ("method.program", json!("/nowhere/program.txt")),
        ("method.micro_batches", json!(8)),
        ("model.init_from", json!("/nowhere/start.safetensors")),
    ]);
    settings.optimizer.label_smoothing = SMOOTHING;
    let mut model = Model::open(settings, &weights).unwrap();
    let (own, other) = (trainer.predict(Part::Test).unwrap(), model.predict(Part::Test).unwrap());
    assert!(own.samples().eq(other.samples()));
}

#[test]
fn images_are_answered_as_those_of_the_set() {
    let (_folder, weights, mut trainer) = trained(&[]);
    let predictions = trainer.predict(Part::Test).unwrap();
    let mut model = Model::open(trainer.settings().clone(), &weights).unwrap();
    let images: Vec<Vec<u8>> = (0..300)
        .map(|index| {
            let mut pixels = vec![0; model.shape().len()];
            model.data().get(index, &mut pixels).unwrap();
            pixels
        })
        .collect();
    let answers = model.answer(images).unwrap();
    for (answers, sample) in answers.iter().zip(predictions.samples()) {
        assert_eq!(answers.top(5), sample.answers);
    }
    assert!(model.answer([]).unwrap().is_empty());
    let error = model.answer([vec![0; 3]]).unwrap_err();
    assert!(
        matches!(&error, TrainError::Data(_)) && error.to_string().contains("has 3 bytes"),
        "{error}"
    );
}

#[test]
fn weights_of_another_network_are_refused() {
    let (_folder, weights, trainer) = trained(&[]);
    let mut settings = trainer.settings().clone();
    settings.model.options.insert("width".to_owned(), json!(8));
    let Err(error) = Model::open(settings, &weights) else {
        panic!("it was opened");
    };
    let told = error.to_string();
    assert!(matches!(error, TrainError::NotItsWeights { .. }), "{told}");
    assert!(
        told.starts_with(&weights.display().to_string()) && told.contains("needs [8, 1, 3, 3]"),
        "{told}"
    );
}

/// A loss of one's own is the one that is told; a network that gives no classes is refused with its shape.
#[test]
fn losses_and_networks_of_ones_own() {
    struct Twice;
    impl Loss for Twice {
        fn of(&self, output: &Tensor, labels: &Tensor) -> Result<Tensor, dtrp_train::torch::TorchError> {
            Ok(CrossEntropy::default().of(output, labels)? * 2.0)
        }
    }
    let data = crate::support::stripes(4, 40);
    let network = dtrp_models::build("tiny", &Default::default(), &data.input()).unwrap();
    let mut trainer = Training::new(network, data).loss(Twice).epochs(1).build().unwrap();
    trainer.fit().unwrap();
    let predictions = trainer.predict(Part::Train).unwrap();
    let mean = predictions.samples().map(|sample| f64::from(sample.loss)).sum::<f64>() / predictions.len() as f64;
    assert!((predictions.loss() - 2.0 * mean).abs() < 1e-5);
    assert_eq!(predictions.top5(), None);
}
