//! VGG (Simonyan and Zisserman, 2015), with torchvision's parameter names and initialisation: 3×3 convolutions in five groups
//! that end in max pooling, then a classifier. A convolution with what follows it, up to the pooling, is a block; so is each
//! layer of the classifier.

use super::SIZES;
use crate::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, Dropout, Linear, average_pool, max_pool, relu};
use crate::registry::{Family, ModelInput};
use dtrp_core::torch::{Block, BlockSpec, Init, Pass, Vars};
use dtrp_text::{OptionSpec, Options};
use tch::{TchError, Tensor};

inventory::submit!(Family::new(
    "vgg",
    "VGG of 11, 13, 16 or 19 layers",
    &[
        OptionSpec::count("depth", 16, SIZES, "11, 13, 16 or 19"),
        OptionSpec::flag("batch_norm", true, "normalise after every convolution: true or false"),
        OptionSpec::choice(
            "head",
            "imagenet",
            &["imagenet", "cifar"],
            "imagenet (pool to 7x7, three linear layers) or cifar (pool to 1x1, one linear layer)",
        ),
        OptionSpec::share(
            "dropout",
            0.5,
            "after the hidden layers of the imagenet head: from 0 to below 1"
        ),
    ],
    build,
));

/// Channels of the five groups, and how many convolutions each has by depth.
const CHANNELS: [i64; 5] = [64, 128, 256, 512, 512];
const DEPTHS: [(u64, [usize; 5]); 4] = [
    (11, [1, 1, 2, 2, 2]),
    (13, [2, 2, 2, 2, 2]),
    (16, [2, 2, 3, 3, 3]),
    (19, [2, 2, 4, 4, 4]),
];

/// Side of the image that the ImageNet head pools to, and its hidden width.
const POOLED: i64 = 7;
const HIDDEN: i64 = 4096;

/// The start of the classifier's weights.
const LINEAR: Init = Init::Normal { std: 0.01 };
const ZEROS: Init = Init::Constant(0.0);

fn build(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
    let depth = options.count("depth");
    let groups = DEPTHS.iter().find(|(d, _)| *d == depth);
    let (_, groups) = groups.ok_or_else(|| options.invalid("depth", "11, 13, 16 or 19"))?;
    let batch_norm = options.flag("batch_norm");
    if input.height.min(input.width) < 32 {
        let reason = "five groups halve the image, so it needs at least 32 x 32 pixels";
        return Err(input.misfit(options.owner(), reason));
    }

    let mut blocks = Vec::new();
    let mut inputs = input.channels as i64;
    // torchvision numbers convolutions, normalisations, ReLUs and poolings in one sequence.
    let mut number = 0;
    for (outputs, convolutions) in CHANNELS.into_iter().zip(*groups) {
        for index in 1..=convolutions {
            let name = |number: usize| format!("features.{number}");
            let pool = index == convolutions;
            blocks.push(BlockSpec::build(&name(number), |scope| {
                let mut conv_scope = scope.sub(&name(number));
                Unit {
                    conv: Conv2d::fan_out(&mut conv_scope, inputs, outputs, 3, 1).biased(&mut conv_scope, outputs),
                    norm: batch_norm.then(|| BatchNorm2d::new(&mut scope.sub(&name(number + 1)), outputs)),
                    pool,
                }
            }));
            number += 2 + usize::from(batch_norm) + usize::from(pool);
            inputs = outputs;
        }
    }
    let classes = input.classes as i64;
    match options.choice("head") {
        "imagenet" => {
            let pooled = inputs * POOLED * POOLED;
            let dropout = options.number("dropout");
            blocks.extend([
                hidden("classifier.0", pooled, Some([POOLED; 2]), dropout),
                hidden("classifier.3", HIDDEN, None, dropout),
                last("classifier.6", HIDDEN, None, classes, LINEAR, ZEROS),
            ]);
        }
        _ => {
            let bound = 1.0 / (inputs as f64).sqrt();
            let uniform = Init::Uniform { bound };
            let pool = Some([1, 1]);
            blocks.push(last("classifier", inputs, pool, classes, uniform.clone(), uniform));
        }
    }
    Ok(blocks)
}

/// Convolution, normalisation if any, ReLU, and max pooling at the end of a group.
struct Unit {
    conv: Conv2d,
    norm: Option<BatchNorm2d>,
    pool: bool,
}

impl Block for Unit {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let hidden = self.conv.forward(vars, input)?;
        let hidden = relu(match &self.norm {
            Some(norm) => norm.forward(vars, &hidden, pass)?,
            None => hidden,
        })?;
        if self.pool {
            max_pool(&hidden, 2, 2, 0)
        } else {
            Ok(hidden)
        }
    }
}

/// A layer of the classifier: pooling if it is the first, then linear, and ReLU and dropout unless it is the last.
struct Dense {
    pool: Option<[i64; 2]>,
    linear: Linear,
    dropout: Option<Dropout>,
}

fn hidden(name: &str, inputs: i64, pool: Option<[i64; 2]>, rate: f64) -> BlockSpec {
    BlockSpec::build(name, |scope| Dense {
        pool,
        linear: Linear::with_bias(&mut scope.sub(name), inputs, HIDDEN, LINEAR, ZEROS),
        dropout: Some(Dropout::new(rate, 0)),
    })
}

fn last(name: &str, inputs: i64, pool: Option<[i64; 2]>, classes: i64, weight: Init, bias: Init) -> BlockSpec {
    BlockSpec::build(name, |scope| Dense {
        pool,
        linear: Linear::with_bias(&mut scope.sub(name), inputs, classes, weight, bias),
        dropout: None,
    })
}

impl Block for Dense {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let output = match self.pool {
            Some(size) => self.linear.forward(vars, &average_pool(input, size)?)?,
            None => self.linear.forward(vars, input)?,
        };
        match &self.dropout {
            Some(dropout) => dropout.forward(vars, relu(output)?, pass),
            None => Ok(output),
        }
    }
}
