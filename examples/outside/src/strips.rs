//! A family of networks of one's own.

use dtrp_train::ModelInput;
use dtrp_train::models::layers::{Linear, relu};
use dtrp_train::models::{Family, ModelError, OptionSpec, Options, inventory};
use dtrp_train::tch::{TchError, Tensor};
use dtrp_train::torch::{Block, BlockSpec, Pass, Vars};

/// What the family is called.
pub const STRIPS: &str = "org.example.strips";

inventory::submit! {
    Family::new(
        STRIPS,
        "layers that see the whole image at once",
        &[
            OptionSpec::count("depth", 2, 1..=100, "hidden layers"),
            OptionSpec::count("width", 32, 1..=4096, "features of each"),
        ],
        build,
    )
}

fn build(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
    Ok(blocks(
        options.count("depth") as usize,
        options.count("width") as i64,
        input,
    ))
}

/// The blocks: so many hidden layers of so many features, then a number for each class.
pub fn blocks(depth: usize, width: i64, input: &ModelInput) -> Vec<BlockSpec> {
    let mut inputs = (input.channels * input.height * input.width) as i64;
    let mut blocks = Vec::with_capacity(depth + 1);
    for layer in 0..depth {
        let name = format!("hidden.{layer}");
        blocks.push(BlockSpec::build(&name, |scope| {
            Hidden(Linear::torch(&mut scope.sub(&name), inputs, width))
        }));
        inputs = width;
    }
    blocks.push(BlockSpec::build("out", |scope| {
        let linear = Linear::torch(&mut scope.sub("out"), inputs, input.classes as i64);
        move |vars: &Vars<'_>, features: &Tensor, _: &Pass| linear.forward(vars, features)
    }));
    blocks
}

/// A layer with ReLU. The first one takes images, the others features.
struct Hidden(Linear);

impl Block for Hidden {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
        relu(self.0.forward(vars, &input.f_flatten(1, -1)?)?)
    }
}
