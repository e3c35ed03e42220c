//! A network for tests and first tries: a few convolutions with normalisation and ReLU, then the classifier.

use super::SIZES;
use crate::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, Linear, average_pool, relu};
use crate::registry::{Family, ModelInput};
use dtrp_core::torch::{Block, BlockSpec, Pass, Vars};
use dtrp_text::{OptionSpec, Options};
use tch::{TchError, Tensor};

inventory::submit!(Family::new(
    "tiny",
    "a few convolutions, for tests and first tries",
    &[
        OptionSpec::count("depth", 3, SIZES, "convolutions; every second one halves the image"),
        OptionSpec::count("width", 8, SIZES, "channels of all of them"),
    ],
    build,
));

fn build(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
    let depth = options.count("depth") as usize;
    let width = options.count("width") as i64;
    let mut inputs = input.channels as i64;
    let mut blocks = Vec::with_capacity(depth + 1);
    for index in 0..depth {
        let name = format!("layers.{index}");
        let stride = if index % 2 == 1 { 2 } else { 1 };
        blocks.push(BlockSpec::build(&name, |scope| {
            let mut scope = scope.sub(&name);
            Unit {
                conv: Conv2d::new(&mut scope.sub("conv"), inputs, width, 3, stride),
                norm: BatchNorm2d::new(&mut scope.sub("bn"), width),
            }
        }));
        inputs = width;
    }
    blocks.push(BlockSpec::build("fc", |scope| Head {
        linear: Linear::torch(&mut scope.sub("fc"), width, input.classes as i64),
    }));
    Ok(blocks)
}

/// Convolution, normalisation, ReLU.
struct Unit {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Block for Unit {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let hidden = self.conv.forward(vars, input)?;
        relu(self.norm.forward(vars, &hidden, pass)?)
    }
}

/// Global average pooling and the classifier.
struct Head {
    linear: Linear,
}

impl Block for Head {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
        self.linear.forward(vars, &average_pool(input, [1, 1])?)
    }
}
