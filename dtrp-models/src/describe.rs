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
    /// What it gives, in the order in which it travels where the network is cut above it.
    pub outputs: Vec<OutputInfo>,
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

/// A tensor that a block gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputInfo {
    /// Its shape for one sample: channels × height × width, or features. Where several rows belong to a sample, they come first.
    pub shape: Vec<usize>,
    /// Bytes of an element, where a run computes in f32.
    pub element_bytes: usize,
    /// Whether it is of floating point: then the run's precision says how large its elements are, and a gradient comes back.
    pub floating: bool,
}

impl OutputInfo {
    fn of(tensor: &Tensor) -> Self {
        let size = tensor.size();
        let own = match size.split_first() {
            Some((1, own)) => own,
            _ => &size,
        };
        Self {
            shape: own.iter().map(|n| *n as usize).collect(),
            element_bytes: tensor.kind().elt_size_in_bytes(),
            floating: tensor.is_floating_point(),
        }
    }

    /// Bytes for one sample where floating-point numbers take so many.
    pub fn bytes(&self, floating: usize) -> u64 {
        let element = if self.floating { floating } else { self.element_bytes };
        (self.shape.iter().product::<usize>() * element) as u64
    }
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
        let info = tch::no_grad(|| run(spec, &[zeros?]).map(|(_, info)| info));
        info.map_err(|error| failed(spec, shape, &error))
    }

    /// The shape of its first output for one sample: what an auxiliary head is built for.
    pub fn output_shape(&self) -> &[usize] {
        self.outputs.first().map_or(&[], |output| &output.shape)
    }

    /// Bytes of its outputs for one sample in f32: what travels where the network is cut above it.
    pub fn output_bytes(&self) -> u64 {
        let floating = Kind::Float.elt_size_in_bytes();
        self.outputs.iter().map(|output| output.bytes(floating)).sum()
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
            let image_of_zeros = zeros.map_err(|error| match self.blocks.first() {
                Some(first) => failed(first, image.to_vec(), &error.into()),
                None => input.misfit(&self.name, "there is no memory for one"),
            })?;
            let mut activations = vec![image_of_zeros];
            for spec in &self.blocks {
                let shape = activations.first().map(Tensor::size).unwrap_or_default();
                let info;
                (activations, info) = run(spec, &activations).map_err(|error| failed(spec, shape, &error))?;
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

/// Runs a block; returns its outputs and what it cost.
fn run(spec: &BlockSpec, inputs: &[Tensor]) -> Result<(Vec<Tensor>, BlockInfo), TorchError> {
    let module = Module::new(vec![spec.clone()], 0, Kind::Float, Device::Cpu)?;
    let arena = Arena::zeros(module.layout(), module.options())?;
    let pass = Pass {
        mode: Mode::Evaluate,
        seed: 0,
        batch: 0,
        block: 0,
    };
    let (outputs, tally) = tally::listen(|| module.forward(&arena, inputs, pass));
    let outputs = outputs?;
    let info = BlockInfo {
        name: spec.name.clone(),
        outputs: outputs.iter().map(OutputInfo::of).collect(),
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
        activation_bytes: tally.bytes_between(inputs, &outputs),
    };
    Ok((outputs, info))
}
