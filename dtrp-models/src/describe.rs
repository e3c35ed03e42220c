//! What each block of a network costs, found by running it once.

use crate::ModelError;
use crate::layers::tally;
use crate::registry::{ModelInput, Network};
use dtrp_core::torch::{Arena, BlockSpec, Mode, Module, Pass, TorchError};
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
}

impl BlockInfo {
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
    /// [`ModelError::Block`] when a block fails: images too small for the network, no memory for its largest block.
    pub fn describe(&self, input: &ModelInput) -> Result<Vec<BlockInfo>, ModelError> {
        let image = [1, input.channels, input.height, input.width].map(|n| n as i64);
        let options = (Kind::Float, Device::Cpu);
        let mut infos = Vec::with_capacity(self.blocks.len());
        tch::no_grad(|| {
            let mut activation = Tensor::zeros(image, options);
            for spec in &self.blocks {
                let shape = activation.size();
                let info;
                (activation, info) = run(spec, &activation).map_err(|error| ModelError::Block {
                    block: spec.name.clone(),
                    shape,
                    message: error.to_string(),
                })?;
                infos.push(info);
            }
            Ok(infos)
        })
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
        activation_bytes: tally.bytes_between(input, &output),
    };
    Ok((output, info))
}
