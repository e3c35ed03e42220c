//! Backpropagation over any number of modules equals an unsplit network: plain autograd over a ResNet-8 written out by hand,
//! with a hand-written SGD on separate tensors.

mod common;

use common::{Run, assert_same_bits, state};
use std::collections::BTreeMap;
use tch::{Kind, Reduction, Tensor};

type Tensors = BTreeMap<String, Tensor>;

fn conv_bn(w: &Tensors, conv: &str, norm: &str, x: &Tensor, stride: i64) -> Tensor {
    let weight = &w[&format!("{conv}.weight")];
    let pad = weight.size()[2] / 2;
    let y = x.conv2d::<Tensor>(weight, None, [stride; 2], [pad; 2], [1, 1], 1);
    let get = |what: &str| Some(&w[&format!("{norm}.{what}")]);
    y.batch_norm(
        get("weight"),
        get("bias"),
        get("running_mean"),
        get("running_var"),
        true,
        0.1,
        1e-5,
        true,
    )
}

/// ResNet-8 with 4, 8 and 16 channels, as the paper draws it; training mode.
fn resnet8(w: &Tensors, images: &Tensor) -> Tensor {
    let mut x = conv_bn(w, "conv1", "bn1", images, 1).relu();
    for stage in 1..=3 {
        let name = |part: &str| format!("layer{stage}.0.{part}");
        let stride = if stage == 1 { 1 } else { 2 };
        let hidden = conv_bn(w, &name("conv1"), &name("bn1"), &x, stride).relu();
        let main = conv_bn(w, &name("conv2"), &name("bn2"), &hidden, 1);
        let shortcut = if stage == 1 {
            x.shallow_clone()
        } else if w.contains_key(&name("shortcut.0.weight")) {
            conv_bn(w, &name("shortcut.0"), &name("shortcut.1"), &x, 2)
        } else {
            let channels = x.size()[1] / 2;
            x.slice(2, None, None, 2)
                .slice(3, None, None, 2)
                .constant_pad_nd([0, 0, 0, 0, channels, channels])
        };
        x = (main + shortcut).relu();
    }
    x.adaptive_avg_pool2d([1, 1])
        .flatten(1, -1)
        .linear(&w["linear.weight"], Some(&w["linear.bias"]))
}

/// Trains the whole network in one piece.
fn reference(run: &Run) -> Tensors {
    tch::set_num_threads(1);
    dtrp_core::torch::flush_denormals(true);
    let weights: Tensors = state(&run.stages());
    let parameters: Vec<String> = weights
        .keys()
        .filter(|name| !name.contains("running"))
        .cloned()
        .collect();
    let mut weights: Tensors = weights
        .into_iter()
        .map(|(name, tensor)| {
            let learns = parameters.contains(&name);
            (name, tensor.set_requires_grad(learns))
        })
        .collect();
    let mut velocity: Tensors = BTreeMap::new();
    for batch in 1..=run.batches {
        let (images, labels) = run.data(batch);
        let logits = resnet8(&weights, &images);
        let loss = logits.cross_entropy_loss::<Tensor>(
            &labels,
            None,
            Reduction::Mean,
            -100,
            run.label_smoothing,
        );
        loss.backward();
        tch::no_grad(|| {
            for name in &parameters {
                let w = weights.get_mut(name).unwrap();
                let g = w.grad();
                let decays = run.decay_all
                    || !(name.ends_with("bias")
                        || name.contains("bn")
                        || name.contains("shortcut.1"));
                let g = if decays {
                    &g + &*w * run.weight_decay
                } else {
                    g.copy()
                };
                let v = match velocity.remove(name) {
                    None => g.copy(),
                    Some(v) => v * run.momentum + &g,
                };
                let step = if run.nesterov {
                    &g + &v * run.momentum
                } else {
                    v.copy()
                };
                *w -= step * run.rate;
                velocity.insert(name.clone(), v);
                w.zero_grad();
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
    for modules in 1..=5 {
        for shortcut in ["A", "B"] {
            for (nesterov, decay_all, label_smoothing) in [(false, true, 0.0), (true, false, 0.1)] {
                let settings = Run {
                    shortcut,
                    nesterov,
                    decay_all,
                    label_smoothing,
                    ..Run::new("bp", modules)
                };
                // A power of two makes the order of rounding in `w - lr * step` irrelevant, fused or not.
                for run in [
                    Run {
                        rate: 0.0625,
                        momentum: 0.5,
                        weight_decay: 0.0009765625,
                        ..settings.clone()
                    },
                    Run {
                        kind: Kind::Double,
                        rate: 0.0625,
                        momentum: 0.5,
                        weight_decay: 0.0009765625,
                        seed: 2,
                        ..settings
                    },
                ] {
                    let what = format!(
                        "K={modules} shortcut={shortcut} nesterov={nesterov} {:?}",
                        run.kind
                    );
                    assert_same_bits(&what, &run.weights(), &reference(&run));
                }
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
        let (ours, theirs) = (run.weights(), reference(&run));
        for (name, tensor) in &ours {
            let difference = common::difference(tensor, &theirs[name]);
            assert!(difference < 1e-13, "{name}: {difference:e}");
        }
    }
}
