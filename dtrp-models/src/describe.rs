//! What each block of a network costs, found by running it once.

use crate::ModelError;
use crate::layers::tally;
use crate::registry::{ModelInput, Network};
use dtrp_core::torch::{Arena, BlockSpec, Mode, Module, OutOfMemory, Pass, TorchError};
use tch::{Device, Kind, Tensor};

/// One block of a network, for one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockInfo {
    /// Its name.
    pub name: String,
    /// The shape of its output for one sample: channels × height × width, or features.
    pub output_shape: Vec<usize>,
    /// Elements of its parameters.
    pub parameters: usize,
    /// Multiplications with addition that one sample takes in the forward pass, of convolutions and linear layers only: what
    /// the literature counts as multiply-adds or MACs. Biases, normalisation, activation and pooling come on top.
    pub multiply_adds: u64,
    /// Bytes that it adds to an f32 graph for one sample: what its layers keep for the backward pass, and its output, each
    /// tensor once. Its input is counted at the block below, so those of a module add up; weights and gradients come on top.
    pub activation_bytes: u64,
    /// Its norms, in the order in which they run.
    pub norms: Vec<NormInfo>,
}

/// A normalisation over samples and pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormInfo {
    /// The name of its parameter.
    pub parameter: String,
    /// Values of a channel for one sample: height × width of what it normalises.
    pub values: u64,
}

impl BlockInfo {
    /// Runs a block once, with weights of zeros, on zeros of this shape for one sample.
    ///
    /// # Errors
    ///
    /// [`ModelError::Block`] when it fails, [`ModelError::Memory`] when there is no memory for it.
    pub fn of(spec: &BlockSpec, input: &[usize]) -> Result<Self, ModelError> {
        let shape: Vec<i64> = [1].into_iter().chain(input.iter().map(|n| *n as i64)).collect();
        let zeros = Tensor::f_zeros(shape.as_slice(), (Kind::Float, Device::Cpu));
        let info = tch::no_grad(|| run(spec, &zeros?).map(|(_, info)| info));
        info.map_err(|error| failed(spec, shape, &error))
    }

    /// Bytes of its output for one sample in f32: what travels where the network is cut above it.
    pub fn output_bytes(&self) -> u64 {
        let elements: usize = self.output_shape.iter().product();
        (elements * Kind::Float.elt_size_in_bytes()) as u64
    }
}

impl Network {
    /// Runs each block once, with weights of zeros, on one black image.
    ///
    /// # Errors
    ///
    /// [`ModelError::Block`] when a block fails, such as on images too small for the network, [`ModelError::Memory`] when there
    /// is no memory for it.
    pub fn describe(&self, input: &ModelInput) -> Result<Vec<BlockInfo>, ModelError> {
        let image = [1, input.channels, input.height, input.width].map(|n| n as i64);
        let options = (Kind::Float, Device::Cpu);
        let mut infos = Vec::with_capacity(self.blocks.len());
        tch::no_grad(|| {
            let zeros = Tensor::f_zeros(image, options);
            let mut activation = zeros.map_err(|error| match self.blocks.first() {
                Some(first) => failed(first, image.to_vec(), &error.into()),
                None => input.misfit(&self.name, "there is no memory for one"),
            })?;
            for spec in &self.blocks {
                let shape = activation.size();
                let info;
                (activation, info) = run(spec, &activation).map_err(|error| failed(spec, shape, &error))?;
                infos.push(info);
            }
            Ok(infos)
        })
    }
}

fn failed(spec: &BlockSpec, shape: Vec<i64>, error: &TorchError) -> ModelError {
    let message = error.to_string();
    let block = spec.name.clone();
    match OutOfMemory::of(&message) {
        Some(memory) => ModelError::Memory {
            block,
            shape,
            asked: memory.asked,
        },
        None => ModelError::Block { block, shape, message },
    }
}

/// Runs a block; returns its output and what it cost.
fn run(spec: &BlockSpec, input: &Tensor) -> Result<(Tensor, BlockInfo), TorchError> {
    let module = Module::new(vec![spec.clone()], 0, Kind::Float, Device::Cpu)?;
    let arena = Arena::zeros(module.layout(), module.options())?;
    let pass = Pass {
        mode: Mode::Evaluate,
        seed: 0,
        batch: 0,
        block: 0,
    };
    let (output, tally) = tally::listen(|| module.forward(&arena, input, pass));
    let output = output?;
    let info = BlockInfo {
        name: spec.name.clone(),
        output_shape: output.size()[1..].iter().map(|n| *n as usize).collect(),
        parameters: spec.parameters(),
        multiply_adds: tally.multiply_adds,
        norms: tally
            .norms
            .iter()
            .map(|(parameter, values)| NormInfo {
                parameter: parameter.clone(),
                values: *values,
            })
            .collect(),
        activation_bytes: tally.bytes_between(input, &output),
    };
    Ok((output, info))
}
