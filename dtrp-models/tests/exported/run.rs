//! Runs an exported network as PyTorch would: one step of training, and evaluation.

use dtrp_core::torch::{Arena, BlockSpec, Mode, Module, Pass};
use std::collections::HashMap;
use tch::{Device, Kind, Tensor};

/// A network in one piece or several, each a module of its own.
pub(crate) struct Net {
    pub(crate) modules: Vec<(Module, Arena)>,
}

impl Net {
    /// One module for each of these lists of blocks.
    pub(crate) fn new(parts: Vec<Vec<BlockSpec>>, kind: Kind) -> Self {
        let mut first = 0;
        let module = |blocks: Vec<BlockSpec>| {
            let count = blocks.len();
            let module = Module::new(blocks, first, kind, Device::Cpu).unwrap();
            first += count;
            let arena = module.initial_arena(7).unwrap();
            (module, arena)
        };
        Self {
            modules: parts.into_iter().map(module).collect(),
        }
    }

    pub(crate) fn forward(&self, input: &Tensor, mode: Mode, batch: u64) -> Tensor {
        let pass = Pass {
            mode,
            seed: 3,
            batch,
            block: 0,
        };
        let mut tensors = vec![input.shallow_clone()];
        for (module, arena) in &self.modules {
            tensors = module.forward(arena, &tensors, pass).unwrap();
        }
        assert_eq!(tensors.len(), 1);
        tensors.remove(0)
    }

    /// The gradients of the parameters that `output` depends on, by name.
    pub(crate) fn gradients(&self, output: &Tensor, cotangent: &Tensor) -> HashMap<String, Tensor> {
        (output * cotangent).sum(output.kind()).backward();
        let modules = self.modules.iter();
        let named = modules.flat_map(|(module, arena)| module.params().zip(&arena.leaves));
        let gradients = named.filter(|(_, leaf)| leaf.grad().defined());
        gradients.map(|(spec, leaf)| (spec.name.clone(), leaf.grad())).collect()
    }

    pub(crate) fn buffers(&self) -> HashMap<String, Tensor> {
        let buffers = self.modules.iter().flat_map(|(module, _)| module.buffers());
        buffers
            .map(|(spec, tensor)| (spec.name.clone(), tensor.shallow_clone()))
            .collect()
    }

    /// Takes over parameters and buffers by name.
    pub(crate) fn load(&self, tensors: &HashMap<String, Tensor>) {
        for (module, arena) in &self.modules {
            module.load(arena, tensors).unwrap();
        }
    }
}

/// How far apart they are, relative to the largest number.
pub(crate) fn distance(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    let (found, expected) = (found.detach().to_kind(Kind::Double), expected.to_kind(Kind::Double));
    if expected.numel() == 0 {
        return 0.0;
    }
    let largest = expected.abs().max().double_value(&[]).max(1e-30);
    (&found - &expected).abs().max().double_value(&[]) / largest
}

/// The entries whose names begin so, without the beginning.
pub(crate) fn with_prefix(tensors: &HashMap<String, Tensor>, prefix: &str) -> HashMap<String, Tensor> {
    let entries = tensors.iter();
    let entries =
        entries.filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.shallow_clone())));
    entries.collect()
}
