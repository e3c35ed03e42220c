//! Wide ResNets for small images, WRN-d-k (Zagoruyko and Komodakis, 2016): 6n+4 layers, three stages of n pre-activation
//! blocks with 16k, 32k and 64k channels. Parameter names are those of the PyTorch code most in use (xternalz).

use super::SIZES;
use crate::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, Dropout, Linear, average_pool, relu};
use crate::registry::{Family, ModelInput};
use dtrp_core::torch::{Block, BlockSpec, Init, ListBlock, Pass, Vars};
use dtrp_text::{OptionSpec, Options};
use tch::{TchError, Tensor};

inventory::submit!(Family::new(
    "wide-resnet-cifar",
    "WideResNet WRN-d-k for small images: 16-4, 28-10, 40-4, ...",
    &[
        OptionSpec::count("depth", 28, SIZES, "d = 6n+4: 10, 16, 22, 28, 34, 40, ..."),
        OptionSpec::count("width", 10, SIZES, "k: the stages have 16k, 32k and 64k channels"),
        OptionSpec::share(
            "dropout",
            0.0,
            "between the convolutions of each block: from 0 to below 1; the paper uses 0.3",
        ),
    ],
    build,
));

fn build(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
    let depth = options.count("depth");
    if depth < 10 || depth % 6 != 4 {
        return Err(options
            .invalid("depth", "6n+4 with n from 1: 10, 16, 22, 28, 34, 40, ...")
            .into());
    }
    let width = options.count("width") as i64;
    let dropout = options.number("dropout");
    if input.height.min(input.width) < 4 {
        let reason = "two stages halve the image, so it needs at least 4 x 4 pixels";
        return Err(input.misfit(options.owner(), reason));
    }
    let mut inputs = 16;
    let mut blocks = vec![BlockSpec::build("stem", |scope| {
        let conv = &mut scope.sub("conv1");
        Stem(Conv2d::fan_out(conv, input.channels as i64, inputs, 3, 1))
    })];
    for stage in 1..=3 {
        let outputs = (16 * width) << (stage - 1);
        for index in 0..(depth - 4) / 6 {
            let stride = if stage > 1 && index == 0 { 2 } else { 1 };
            let name = format!("block{stage}.layer.{index}");
            blocks.push(residual(&name, inputs, outputs, stride, dropout));
            inputs = outputs;
        }
    }
    blocks.push(BlockSpec::build("head", |scope| {
        let bound = 1.0 / (inputs as f64).sqrt();
        let (weight, bias) = (Init::Uniform { bound }, Init::Constant(0.0));
        let (fc, classes) = (&mut scope.sub("fc"), input.classes as i64);
        let linear = Linear::with_bias(fc, inputs, classes, weight, bias);
        Head {
            norm: BatchNorm2d::new(&mut scope.sub("bn1"), inputs),
            linear,
        }
    }));
    Ok(blocks)
}

/// A convolution; the blocks normalise what they take.
struct Stem(Conv2d);

impl Block for Stem {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
        self.0.forward(vars, input)
    }
}

/// Normalisation, ReLU, 3×3 convolution, twice, with dropout in between. Where the shape changes, the shortcut is a 1×1
/// convolution of the normalised input. It can be cut between the two.
fn residual(name: &str, inputs: i64, outputs: i64, stride: i64, rate: f64) -> BlockSpec {
    let first = BlockSpec::build("bn1", |scope| {
        let mut scope = scope.sub(name);
        First {
            bn1: BatchNorm2d::new(&mut scope.sub("bn1"), inputs),
            conv1: Conv2d::fan_out(&mut scope.sub("conv1"), inputs, outputs, 3, stride),
            identity: inputs == outputs,
        }
    });
    let second = BlockSpec::build("bn2", |scope| {
        let mut scope = scope.sub(name);
        Second {
            bn2: BatchNorm2d::new(&mut scope.sub("bn2"), outputs),
            dropout: Dropout::new(rate, 0),
            conv2: Conv2d::fan_out(&mut scope.sub("conv2"), outputs, outputs, 3, 1),
            shortcut: (inputs != outputs)
                .then(|| Conv2d::fan_out(&mut scope.sub("convShortcut"), inputs, outputs, 1, stride)),
        }
    });
    BlockSpec::sequence(name, vec![first, second])
}

/// Gives what it has computed, and what the shortcut takes.
struct First {
    bn1: BatchNorm2d,
    conv1: Conv2d,
    identity: bool,
}

impl ListBlock for First {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        let input = &inputs[0];
        let active = relu(self.bn1.forward(vars, input, pass)?)?;
        let hidden = self.conv1.forward(vars, &active)?;
        let beside = if self.identity { input.shallow_clone() } else { active };
        Ok(vec![hidden, beside])
    }
}

/// Takes what [`First`] gives.
struct Second {
    bn2: BatchNorm2d,
    dropout: Dropout,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

impl ListBlock for Second {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        let (hidden, beside) = (&inputs[0], &inputs[1]);
        let hidden = relu(self.bn2.forward(vars, hidden, pass)?)?;
        let hidden = self.dropout.forward(vars, hidden, pass)?;
        // A convolution's backward does not read its output: changed in place.
        let mut output = self.conv2.forward(vars, &hidden)?;
        let output = match &self.shortcut {
            Some(conv) => output.f_add_(&conv.forward(vars, beside)?),
            None => output.f_add_(beside),
        };
        Ok(vec![output?])
    }
}

/// Normalisation, ReLU, global average pooling, classifier.
struct Head {
    norm: BatchNorm2d,
    linear: Linear,
}

impl Block for Head {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let active = relu(self.norm.forward(vars, input, pass)?)?;
        self.linear.forward(vars, &average_pool(&active, [1, 1])?)
    }
}
