//! What is averaged, and over what: batches under one update and micro-batches of a batch both weigh by their samples, and
//! running statistics move once for every forward pass that counts.

use crate::reference::{enter, network};
use crate::run::{Run, assert_same_bits, difference, state};
use dtrp_core::schedule::{Method, Unit};
use dtrp_core::torch::{Block, BlockSpec, Input, Pass, Source, TorchError, Vars};
use dtrp_models::layers::{Conv2d, Linear, average_pool, relu};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use tch::{Kind, TchError, Tensor};

/// A network without batch norm, whose loss is a mean over samples that know nothing of each other.
fn plain_network() -> Vec<BlockSpec> {
    let conv = |name: &str, inputs| {
        BlockSpec::build(name, |scope| {
            let mut scope = scope.sub(name);
            Convolution(Conv2d::new(&mut scope, inputs, 6, 3, 1).biased(&mut scope, 6))
        })
    };
    let head = BlockSpec::build("head", |scope| Head(Linear::torch(&mut scope.sub("head"), 6 * 4, 5)));
    vec![conv("first", 3), conv("second", 6), head]
}

struct Convolution(Conv2d);

impl Block for Convolution {
    fn forward(&self, vars: &Vars<'_>, x: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
        relu(self.0.forward(vars, x)?)
    }
}

struct Head(Linear);

impl Block for Head {
    fn forward(&self, vars: &Vars<'_>, x: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
        self.0.forward(vars, &average_pool(x, [2, 2])?)
    }
}

fn exact(run: Run) -> Run {
    Run {
        kind: Kind::Double,
        network: Some(plain_network),
        ..run
    }
}

/// Several batches of a run as one.
struct Joined(Run, Vec<RangeInclusive<u32>>);

impl Source for Joined {
    fn next(&mut self, unit: Unit) -> Result<Input, TorchError> {
        let parts: Vec<_> = self.1[unit.batch as usize - 1]
            .clone()
            .map(|b| self.0.data(b))
            .collect();
        let images: Vec<_> = parts.iter().map(|(images, _)| images).collect();
        let labels: Vec<_> = parts.iter().map(|(_, labels)| labels).collect();
        Ok(Input {
            images: Tensor::cat(&images, 0),
            labels: Tensor::cat(&labels, 0),
            share: 1.0,
            parts: 1,
        })
    }
}

/// Plain backpropagation over batches that are joined so.
fn joined(run: &Run, groups: Vec<RangeInclusive<u32>>) -> BTreeMap<String, Tensor> {
    let whole = Run {
        method: "bp",
        batches: groups.len() as u32,
        accumulate: 1,
        micro_batches: 1,
        ..run.clone()
    };
    let mut stages = whole.stages();
    stages[0].begin(0, Some(Box::new(Joined(run.clone(), groups))));
    whole.train(&mut stages);
    state(&stages)
}

fn assert_close(what: &str, a: &BTreeMap<String, Tensor>, b: &BTreeMap<String, Tensor>) {
    for (name, tensor) in a {
        let apart = difference(tensor, &b[name]);
        assert!(apart < 1e-12, "{what}: {name} differs by {apart:e}");
    }
}

/// Batches of 8, 8, 8 and 5 samples under one update are one batch of 29. (A mean over batches would give each of the last
/// five samples 8/5 of the weight of the others.)
#[test]
fn accumulated_batches_are_one_batch_of_all_their_samples() {
    for modules in 1..=3 {
        for micro_batches in [1, 3] {
            let run = exact(Run {
                batches: 4,
                accumulate: 4,
                micro_batches,
                predictor: "none",
                ..Run::new("fdg", modules)
            });
            let what = format!("K={modules} m={micro_batches}");
            assert_close(&what, &run.weights(), &joined(&run, vec![1..=4]));
        }
    }
}

/// A program ends with an update for whatever waits: the last group may have fewer batches than M, and is a mean over those.
#[test]
fn what_waits_at_the_end_of_a_program_is_applied() {
    for (batches, accumulate, groups) in [
        (5, 2, vec![1..=2, 3..=4, 5..=5]),
        (6, 4, vec![1..=4, 5..=6]),
        (3, 8, vec![1..=3]),
    ] {
        let run = exact(Run {
            batches,
            accumulate,
            predictor: "none",
            ..Run::new("fdg", 1)
        });
        let what = format!("N={batches} M={accumulate}");
        let mut stages = run.stages();
        stages[0].begin(0, Some(run.source()));
        run.train(&mut stages);
        assert_eq!(stages[0].metrics().updates as usize, groups.len(), "{what}");
        assert_close(&what, &state(&stages), &joined(&run, groups));
    }
}

/// However a batch is split, its micro-batches are the batch. With several updates that holds where nothing is late.
#[test]
fn micro_batches_are_their_batch() {
    for method in ["gpipe", "1f1b"] {
        for micro_batches in [2, 3, 5] {
            for modules in 1..=3 {
                let run = exact(Run {
                    micro_batches,
                    ..Run::new(method, modules)
                });
                let groups = (1..=run.batches).map(|b| b..=b).collect();
                let what = format!("{method} K={modules} m={micro_batches}");
                assert_close(&what, &run.weights(), &joined(&run, groups));
            }
        }
    }
}

/// Running statistics move once for every micro-batch, in their order, by the statistics of that micro-batch. With weights
/// that stand still, that is a plain loop over micro-batches, for every method.
#[test]
fn running_statistics_move_once_for_each_micro_batch() {
    const PARTS: u16 = 3;
    for method in Method::all().iter().filter(|m| m.micro_batches) {
        for order in method.orders {
            for modules in [1, 2, 4] {
                let run = Run {
                    order: Some(*order),
                    micro_batches: PARTS,
                    rate: 0.0,
                    ..Run::new(method.name, modules)
                };
                let weights = state(&run.stages());
                enter();
                for b in 1..=run.batches {
                    let (images, _) = run.data(b);
                    let (total, m) = (images.size()[0], i64::from(PARTS));
                    for j in 0..m {
                        let (from, to) = (j * total / m, (j + 1) * total / m);
                        let part = images.narrow(0, from, to - from);
                        drop(tch::no_grad(|| network(&weights, part)));
                    }
                }
                let what = format!("{} {order} K={modules}", method.name);
                assert_same_bits(&what, &run.weights(), &weights);
            }
        }
    }
}
