//! A module: a run of consecutive blocks, and their forward pass through any arena.

use super::arena::{Arena, ArenaLayout};
use super::block::{BlockSpec, BufferSpec, Keep, ParamSpec, Pass, Vars};
use super::initial;
use super::precision::Precision;
use crate::torch::TorchError;
use std::collections::HashMap;
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// A run of consecutive blocks on one device, with their buffers. The parameters live in arenas.
///
/// For local learning it can have an auxiliary head, which gives it a loss of its own. The head is trained with the module,
/// in the same arena, but is no part of the network: it is neither exported nor evaluated.
pub struct Module {
    /// The network's blocks, and after them the head if there is one.
    blocks: Vec<BlockSpec>,
    /// How many of them are the network's.
    own: usize,
    first_block: usize,
    layout: ArenaLayout,
    buffers: Vec<Tensor>,
    options: (Kind, Device),
    precision: Precision,
}

impl Module {
    /// Takes over `blocks`, the first of which has number `first_block` (from 0) in the network.
    ///
    /// # Errors
    ///
    /// When the device has no room.
    pub fn new(blocks: Vec<BlockSpec>, first_block: usize, kind: Kind, device: Device) -> Result<Self, TorchError> {
        Self::with_auxiliary(blocks, None, first_block, kind, device)
    }

    /// As [`new`](Self::new), with an auxiliary head: a block from the module's output to logits.
    ///
    /// # Errors
    ///
    /// When the device has no room.
    pub fn with_auxiliary(
        mut blocks: Vec<BlockSpec>,
        auxiliary: Option<BlockSpec>,
        first_block: usize,
        kind: Kind,
        device: Device,
    ) -> Result<Self, TorchError> {
        let own = blocks.len();
        blocks.extend(auxiliary);
        let layout = ArenaLayout::new(blocks.iter().flat_map(|b| &b.params));
        let buffer = |spec: &BufferSpec| spec.tensor((kind, device));
        let buffers = blocks
            .iter()
            .flat_map(|b| &b.buffers)
            .map(buffer)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            blocks,
            own,
            first_block,
            layout,
            buffers,
            options: (kind, device),
            precision: Precision::F32,
        })
    }

    /// The same module, computing in this precision.
    #[must_use]
    pub fn precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same module with its convolutions' weights laid out as outputs × height × width × inputs, the order in which
    /// activations lie when their channels come last; it changes no shape, only the order in memory.
    #[must_use]
    pub fn channels_last(self) -> Self {
        Self {
            layout: self.layout.channels_last(),
            ..self
        }
    }

    /// Where its parameters lie.
    pub fn layout(&self) -> &ArenaLayout {
        &self.layout
    }

    /// Element type and device of parameters and buffers.
    pub fn options(&self) -> (Kind, Device) {
        self.options
    }

    /// The names of its blocks.
    pub fn block_names(&self) -> impl Iterator<Item = &str> {
        self.blocks[..self.own].iter().map(|b| b.name.as_str())
    }

    /// The network's parameters' specs, in the order of the arena's leaves. The head's come after them.
    pub fn params(&self) -> impl Iterator<Item = &ParamSpec> + Clone {
        self.blocks[..self.own].iter().flat_map(|b| &b.params)
    }

    /// The network's buffers with their specs: those that are kept with its weights.
    pub fn buffers(&self) -> impl Iterator<Item = (&BufferSpec, &Tensor)> {
        self.blocks[..self.own]
            .iter()
            .flat_map(|b| &b.buffers)
            .zip(&self.buffers)
            .filter(|(spec, _)| spec.keep == Keep::Weights)
    }

    /// All parameters' specs in the order of the arena's leaves, each with whether it is the head's.
    pub(crate) fn all_params(&self) -> impl Iterator<Item = (&ParamSpec, bool)> + Clone {
        let blocks = self.blocks.iter().enumerate();
        blocks.flat_map(move |(index, block)| block.params.iter().map(move |spec| (spec, index >= self.own)))
    }

    /// All buffers that are kept, with their specs, likewise.
    pub(crate) fn all_buffers(&self) -> impl Iterator<Item = (&BufferSpec, bool, &Tensor)> {
        let blocks = self.blocks.iter().enumerate();
        let specs =
            blocks.flat_map(move |(index, block)| block.buffers.iter().map(move |spec| (spec, index >= self.own)));
        specs
            .zip(&self.buffers)
            .map(|((spec, head), tensor)| (spec, head, tensor))
            .filter(|(spec, _, _)| spec.keep != Keep::Nothing)
    }

    /// An arena with the starting values of this seed.
    ///
    /// # Errors
    ///
    /// When the device has no room.
    pub fn initial_arena(&self, seed: u64) -> Result<Arena, TorchError> {
        let flat = self.layout.zeros(self.options)?;
        let all = self.blocks.iter().flat_map(|b| &b.params);
        for (spec, view) in all.zip(self.layout.views(&flat)?) {
            write(&view, &initial::tensor(spec, seed)?)?;
        }
        Arena::new(flat, &self.layout)
    }

    /// Runs the network's blocks on `inputs` (what the first block takes) with the parameters of `arena`, an arena of this
    /// module's layout. Returns what the last block gives.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn forward(&self, arena: &Arena, inputs: &[Tensor], pass: Pass) -> Result<Vec<Tensor>, TorchError> {
        self.precision
            .during(self.options.1, || self.run(0..self.own, arena, inputs, pass))
    }

    /// Runs the auxiliary head on the first of the module's outputs: the logits, samples × classes; `None` if there is no head.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn auxiliary(&self, arena: &Arena, outputs: &[Tensor], pass: Pass) -> Result<Option<Tensor>, TorchError> {
        let head = self.own..self.blocks.len();
        let first = &outputs[..outputs.len().min(1)];
        let logits = (!head.is_empty()).then(|| {
            self.precision
                .during(self.options.1, || self.run(head, arena, first, pass))
        });
        Ok(logits.transpose()?.and_then(|outputs| outputs.into_iter().next()))
    }

    fn run(
        &self,
        range: Range<usize>,
        arena: &Arena,
        inputs: &[Tensor],
        mut pass: Pass,
    ) -> Result<Vec<Tensor>, TorchError> {
        let mut activations: Vec<Tensor> = inputs.iter().map(Tensor::shallow_clone).collect();
        let (mut params, mut buffers) = (&arena.leaves[..], &self.buffers[..]);
        for (index, spec) in self.blocks.iter().enumerate().take(range.end) {
            let (own_params, other_params) = params.split_at(spec.params.len());
            let (own_buffers, other_buffers) = buffers.split_at(spec.buffers.len());
            (params, buffers) = (other_params, other_buffers);
            if index >= range.start {
                let vars = Vars {
                    params: own_params,
                    buffers: own_buffers,
                    options: self.options,
                };
                pass.block = spec.number.unwrap_or(self.first_block + index);
                activations = spec.block.forward_list(&vars, &activations, &pass)?;
            }
        }
        Ok(activations)
    }

    /// Overwrites the parameters in `arena` and the buffers from tensors by name. Returns how many it took.
    ///
    /// # Errors
    ///
    /// [`TorchError::Shape`] when a tensor has another shape.
    pub fn load(&self, arena: &Arena, tensors: &HashMap<String, Tensor>) -> Result<usize, TorchError> {
        let params = self.params().map(|s| (&s.name, &s.shape)).zip(&arena.leaves);
        let buffers = self.buffers().map(|(s, t)| ((&s.name, &s.shape), t));
        let mut taken = 0;
        for ((name, shape), place) in params.chain(buffers) {
            let Some(tensor) = tensors.get(name) else {
                continue;
            };
            if tensor.size() != *shape {
                return Err(TorchError::Shape {
                    name: name.clone(),
                    found: tensor.size(),
                    expected: shape.clone(),
                });
            }
            write(place, tensor)?;
            taken += 1;
        }
        Ok(taken)
    }
}

/// Copies values into a view, whatever their type and device.
fn write(place: &Tensor, values: &Tensor) -> Result<(), TorchError> {
    tch::no_grad(|| Ok(place.shallow_clone().f_copy_(values)?))
}
