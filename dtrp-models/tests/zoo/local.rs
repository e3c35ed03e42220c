//! Local learning with every head: each module learns from a loss of its own and nothing flows back.

use crate::training::{Images, stages};
use dtrp_core::engine::{self, EngineOptions, Executor};
use dtrp_core::schedule::{Method, Plan};
use dtrp_core::torch::TorchStage;
use dtrp_models::auxiliary::{self, HeadKind, heads};
use dtrp_models::{ModelInput, build, option_values, split_evenly};
use std::sync::{Arc, Mutex};
use tch::Tensor;

const INPUT: ModelInput = ModelInput {
    channels: 1,
    height: 8,
    width: 16,
    classes: 4,
};
const BATCHES: u32 = 60;

/// Trains; `rate` gives the learning rate of module k. Returns the stages and the losses of each module.
fn train(head: &str, modules: usize, rate: impl Fn(usize) -> f64) -> (Vec<TorchStage>, Vec<Vec<f64>>) {
    let choice = option_values([("depth", 8.into()), ("width", 8.into())]);
    let network = build("resnet-cifar", &choice, &INPUT).unwrap();
    let blocks = network.describe(&INPUT).unwrap();
    let ranges = split_evenly(blocks.len(), modules).unwrap();
    let heads = heads(HeadKind::named(head).unwrap(), &blocks, &ranges, INPUT.classes);
    let mut stages = stages("local", network, &ranges, heads, rate);
    let losses: Vec<_> = stages
        .iter_mut()
        .map(|stage| {
            let losses = Arc::new(Mutex::new(Vec::new()));
            let told = Arc::clone(&losses);
            stage.on_loss(move |event| told.lock().unwrap().push(event.loss));
            losses
        })
        .collect();
    stages[0].begin(
        0,
        Some(Box::new(Images {
            samples: 16,
            input: INPUT,
        })),
    );
    let method = Method::named("local").unwrap();
    let program = method.program(&Plan::new(modules, BATCHES)).unwrap();
    let options = EngineOptions {
        executor: Executor::Threads,
        ..EngineOptions::default()
    };
    engine::run(&program, &mut stages, &options).unwrap();
    let losses = losses.iter().map(|l| l.lock().unwrap().clone()).collect();
    (stages, losses)
}

#[test]
fn every_module_learns_with_every_head() {
    for kind in auxiliary::list() {
        for modules in 2..=4 {
            let (_, losses) = train(kind.name, modules, |_| 0.05);
            for (k, losses) in (1..).zip(losses) {
                let what = format!("{}: module {k} of {modules}", kind.name);
                assert_eq!(losses.len(), BATCHES as usize, "{what}");
                let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
                let (first, last) = (mean(&losses[..5]), mean(&losses[losses.len() - 5..]));
                assert!(last < 0.5 * first, "{what}: {first} to {last}");
            }
        }
    }
}

#[test]
fn the_network_alone_is_exported() {
    let network = build(
        "resnet-cifar",
        &option_values([("depth", 8.into()), ("width", 8.into())]),
        &INPUT,
    )
    .unwrap();
    let mut names: Vec<String> = network
        .blocks
        .iter()
        .flat_map(|b| {
            let params = b.params.iter().map(|p| p.name.clone());
            params.chain(b.buffers.iter().map(|b| b.name.clone()))
        })
        .collect();
    names.sort();
    let (stages, _) = train("conv", 3, |_| 0.05);
    let state = stages.iter().flat_map(|stage| stage.state().unwrap());
    let mut exported: Vec<String> = state.map(|(name, _)| name).collect();
    exported.sort();
    assert_eq!(exported, names);
}

#[test]
fn a_module_does_not_depend_on_those_above() {
    let weights = |stages: &[TorchStage], k: usize| -> Vec<Tensor> {
        let state = stages[k - 1].state().unwrap();
        state.into_iter().map(|(_, tensor)| tensor).collect()
    };
    let (all, _) = train("mlp", 3, |_| 0.05);
    let (lower, _) = train("mlp", 3, |k| if k < 3 { 0.05 } else { 0.0 });
    for k in 1..=2 {
        for (a, b) in weights(&all, k).iter().zip(&weights(&lower, k)) {
            assert!(a.equal(b), "module {k}");
        }
    }
    assert!(!weights(&all, 3)[0].equal(&weights(&lower, 3)[0]));
}
