//! A network that PyTorch has exported, trained by every method: `tests/exported` says what it has in it, and that it computes what
//! PyTorch does.

use crate::delayed::Part;
use crate::reference::{self, Tensors};
use crate::run::{Run, assert_same_bits};
use dtrp_core::engine::Executor;
use dtrp_core::torch::{Arena, BlockSpec, Mode, Module, Pass};
use dtrp_models::exported::Exported;
use dtrp_models::{Network, split_before};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The blocks of the small network.
pub(crate) fn toy() -> Vec<BlockSpec> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exported/files/toy.pt2");
    Exported::open(&file, None).unwrap().natural_blocks()
}

/// What each module of a run computes, and what it starts with. Buffers are shared by all versions of the weights.
pub(crate) fn parts(run: &Run) -> Vec<(Tensors, Part)> {
    let places: Vec<String> = run.places.iter().map(|place| (*place).to_owned()).collect();
    let network = Network::from(run.network.unwrap()()).cut_inside(&places).unwrap();
    let names: Vec<&str> = network.names().collect();
    let ranges = split_before(&names, run.modules, &places).unwrap();
    let seed = run.seed;
    let part = |range: std::ops::Range<usize>| {
        let blocks = network.blocks[range.clone()].to_vec();
        let module = Module::new(blocks, range.start, run.kind, Device::Cpu).unwrap();
        let start = module.initial_arena(seed).unwrap();
        let params = module.params().map(|spec| spec.name.clone()).zip(&start.leaves);
        let params = params.map(|(name, leaf)| (name, leaf.detach().copy()));
        let buffers = module
            .buffers()
            .map(|(spec, buffer)| (spec.name.clone(), buffer.shallow_clone()));
        let weights: Tensors = params.chain(buffers).collect();
        let part: Part = Box::new(move |weights, inputs, statistics, (batch, micro)| {
            let leaves = module.params().map(|spec| weights[&spec.name].shallow_clone());
            let arena = Arena {
                flat: Tensor::zeros([0], (Kind::Float, Device::Cpu)),
                leaves: leaves.collect(),
            };
            let mode = if statistics {
                Mode::Train
            } else {
                Mode::TrainKeepingStatistics
            };
            let pass = Pass {
                mode,
                seed,
                batch: (batch as u64) << 16 | micro as u64,
                block: 0,
            };
            module.forward(&arena, inputs, pass).unwrap()
        });
        (weights, part)
    };
    ranges.into_iter().map(part).collect()
}

#[test]
fn bp_equals_the_uncut_network_and_threads_the_interpreter() {
    for kind in [Kind::Float, Kind::Double] {
        let run = |places: &[&'static str]| Run {
            kind,
            places: places.to_vec(),
            network: Some(toy),
            ..reference::exact(Run::new("bp", places.len() + 1))
        };
        let whole = run(&[]).weights();
        let network = Network::from(toy());
        let all: Vec<&'static str> = network
            .places()
            .into_iter()
            .map(|place| &*place.to_owned().leak())
            .collect();
        for place in &all {
            assert_same_bits(place, &run(&[place]).weights(), &whole);
        }
        assert_same_bits("everywhere", &run(&all).weights(), &whole);
        let threads = Run {
            executor: Executor::Threads,
            ..run(&all)
        };
        assert_same_bits("threads", &threads.weights(), &whole);
    }
}
