//! Backpropagation over any number of modules equals an unsplit network: plain autograd over a ResNet-8 written out by hand,
//! with a hand-written SGD on separate tensors.

use crate::reference::{self, PIECES, Tensors, is_parameter};
use crate::run::{Run, assert_same_bits, state};
use std::collections::BTreeMap;
use tch::{Kind, Reduction, Tensor};

/// Trains the whole network in one piece.
fn unsplit(run: &Run) -> Tensors {
    reference::enter();
    let start = state(&run.stages()).into_iter();
    let mut weights: Tensors = start
        .map(|(name, tensor)| {
            let learns = is_parameter(&name);
            (name, tensor.set_requires_grad(learns))
        })
        .collect();
    let mut velocity: Tensors = BTreeMap::new();
    for batch in 1..=run.batches {
        let (images, labels) = run.data(batch);
        let logits = reference::network(&weights, images);
        let smoothing = run.label_smoothing;
        let loss = logits.cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, smoothing);
        loss.backward();
        tch::no_grad(|| {
            for (name, w) in weights.iter_mut().filter(|(name, _)| is_parameter(name)) {
                let (new, v) = reference::sgd(run, name, w, &w.grad(), velocity.get(name));
                w.copy_(&new);
                w.zero_grad();
                velocity.insert(name.clone(), v);
            }
        });
    }
    weights
        .into_iter()
        .map(|(name, tensor)| (name, tensor.detach()))
        .collect()
}

#[test]
fn bp_equals_the_unsplit_network() {
    for modules in 1..=reference::BLOCKS {
        for shortcut in ["A", "B"] {
            for (nesterov, decay_all, label_smoothing) in [(false, true, 0.0), (true, false, 0.1)] {
                for kind in [Kind::Float, Kind::Double] {
                    let run = reference::exact(Run::new("bp", modules));
                    let run = Run {
                        kind,
                        shortcut,
                        nesterov,
                        decay_all,
                        label_smoothing,
                        ..run
                    };
                    let what = format!("K={modules} shortcut={shortcut} nesterov={nesterov} {kind:?}");
                    assert_same_bits(&what, &run.weights(), &unsplit(&run));
                }
            }
        }
    }
}

/// Inside residual blocks two tensors cross.
#[test]
fn bp_cut_at_every_pair_of_places_equals_the_unsplit_network() {
    for shortcut in ["A", "B"] {
        for (above, upper) in PIECES.iter().enumerate().skip(2) {
            for lower in &PIECES[1..above] {
                let run = Run {
                    kind: Kind::Double,
                    shortcut,
                    places: vec![lower, upper],
                    ..reference::exact(Run::new("bp", 3))
                };
                let what = format!("cuts {:?} shortcut={shortcut}", run.places);
                assert_same_bits(&what, &run.weights(), &unsplit(&run));
            }
        }
    }
}

#[test]
fn bp_equals_the_unsplit_network_at_ordinary_settings() {
    for modules in [1, 3] {
        let run = Run {
            kind: Kind::Double,
            ..Run::new("bp", modules)
        };
        let (ours, theirs) = (run.weights(), unsplit(&run));
        for (name, tensor) in &ours {
            let difference = crate::run::difference(tensor, &theirs[name]);
            assert!(difference < 1e-13, "{name}: {difference:e}");
        }
    }
}
