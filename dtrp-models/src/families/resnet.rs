//! ResNets of four stages (He et al., 2016), with torchvision's parameter names and initialisation. The bottleneck's stride
//! is in its 3×3 convolution, as there ("v1.5").

use super::SIZES;
use crate::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, Linear, average_pool, max_pool, relu};
use crate::registry::{Family, ModelInput};
use dtrp_core::torch::{Block, BlockSpec, ListBlock, Pass, Scope, Vars};
use dtrp_text::{OptionSpec, Options};
use tch::{TchError, Tensor};

/// The option that both ResNet families of four stages have.
pub(super) const STEM: OptionSpec = OptionSpec::choice(
    "stem",
    "imagenet",
    &["imagenet", "cifar"],
    "imagenet (7x7 convolution of stride 2, max pooling) or cifar (3x3 convolution of stride 1)",
);

inventory::submit!(Family::new(
    "resnet",
    "ResNet of 18, 34, 50, 101 or 152 layers",
    &[OptionSpec::count("depth", 18, SIZES, "18, 34, 50, 101 or 152"), STEM,],
    build,
));

fn build(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
    let depth = options.count("depth");
    let (body, blocks) = match depth {
        18 => (Body::Basic, [2, 2, 2, 2]),
        34 => (Body::Basic, [3, 4, 6, 3]),
        _ => (
            Body::Bottleneck { width: 1 },
            bottlenecks(depth).ok_or_else(|| options.invalid("depth", "18, 34, 50, 101 or 152"))?,
        ),
    };
    assemble(options, input, body, blocks)
}

/// Blocks of each stage of the networks with bottlenecks.
pub(super) fn bottlenecks(depth: u64) -> Option<[usize; 4]> {
    match depth {
        50 => Some([3, 4, 6, 3]),
        101 => Some([3, 4, 23, 3]),
        152 => Some([3, 8, 36, 3]),
        _ => None,
    }
}

/// What residual blocks are made of.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// Two 3×3 convolutions.
    Basic,
    /// 1×1, 3×3, 1×1; the inner ones `width` times as wide as the ResNet's.
    Bottleneck {
        /// 1, or 2 for wide ResNets.
        width: i64,
    },
}

/// Stem, `blocks` residual blocks in each of four stages, head.
pub(super) fn assemble(
    options: &Options<'_>,
    input: &ModelInput,
    body: Body,
    blocks: [usize; 4],
) -> Result<Vec<BlockSpec>, ModelError> {
    let large = options.choice("stem") == "imagenet";
    if input.height.min(input.width) < 8 {
        let reason = "three stages halve the image, so it needs at least 8 x 8 pixels";
        return Err(input.misfit(options.owner(), reason));
    }
    let (kernel, stride) = if large { (7, 2) } else { (3, 1) };
    let mut inputs = 64;
    let mut specs = vec![BlockSpec::build("stem", |scope| {
        let conv = &mut scope.sub("conv1");
        Stem {
            conv: Conv2d::fan_out(conv, input.channels as i64, inputs, kernel, stride),
            norm: BatchNorm2d::new(&mut scope.sub("bn1"), inputs),
            pool: large,
        }
    })];
    for (stage, count) in (1..).zip(blocks) {
        let planes = 64 << (stage - 1);
        for index in 0..count {
            let stride = if stage > 1 && index == 0 { 2 } else { 1 };
            let name = format!("layer{stage}.{index}");
            let (inner, outputs) = match body {
                Body::Basic => (planes, planes),
                Body::Bottleneck { width } => (planes * width, planes * 4),
            };
            let convolutions = match body {
                Body::Basic => basic(inputs, outputs, stride),
                Body::Bottleneck { .. } => bottleneck(inputs, inner, outputs, stride),
            };
            specs.push(residual(&name, &convolutions, stride));
            inputs = outputs;
        }
    }
    specs.push(BlockSpec::build("head", |scope| Head {
        linear: Linear::torch(&mut scope.sub("fc"), inputs, input.classes as i64),
    }));
    Ok(specs)
}

/// Convolution, normalisation, ReLU, and max pooling for large images.
struct Stem {
    conv: Conv2d,
    norm: BatchNorm2d,
    pool: bool,
}

impl Block for Stem {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let hidden = self.conv.forward(vars, input)?;
        let hidden = relu(self.norm.forward(vars, &hidden, pass)?)?;
        if self.pool {
            max_pool(&hidden, 3, 2, 1)
        } else {
            Ok(hidden)
        }
    }
}

/// One of the convolutions of a residual block.
#[derive(Clone, Copy)]
struct Convolution {
    inputs: i64,
    outputs: i64,
    kernel: i64,
    stride: i64,
}

fn basic(inputs: i64, outputs: i64, stride: i64) -> Vec<Convolution> {
    vec![
        convolution([inputs, outputs], 3, stride),
        convolution([outputs, outputs], 3, 1),
    ]
}

fn bottleneck(inputs: i64, inner: i64, outputs: i64, stride: i64) -> Vec<Convolution> {
    vec![
        convolution([inputs, inner], 1, 1),
        convolution([inner, inner], 3, stride),
        convolution([inner, outputs], 1, 1),
    ]
}

fn convolution([inputs, outputs]: [i64; 2], kernel: i64, stride: i64) -> Convolution {
    Convolution {
        inputs,
        outputs,
        kernel,
        stride,
    }
}

/// A residual block: convolutions, each with its normalisation and ReLUs in between, beside a shortcut. It can be cut before each
/// of them.
fn residual(name: &str, convolutions: &[Convolution], stride: i64) -> BlockSpec {
    let inputs = convolutions.first().map_or(0, |first| first.inputs);
    let mut parts = Vec::with_capacity(convolutions.len());
    for (number, own) in (1..).zip(convolutions) {
        let conv = format!("conv{number}");
        let build = |scope: &mut Scope<'_>| {
            let mut scope = scope.sub(name);
            let Convolution {
                inputs,
                outputs,
                kernel,
                stride,
            } = *own;
            Unit {
                conv: Conv2d::fan_out(&mut scope.sub(&conv), inputs, outputs, kernel, stride),
                norm: BatchNorm2d::new(&mut scope.sub(&format!("bn{number}")), outputs),
            }
        };
        parts.push(if number < convolutions.len() {
            BlockSpec::build(&conv, |scope| Inner(build(scope)))
        } else {
            BlockSpec::build(&conv, |scope| Last {
                unit: build(scope),
                shortcut: (stride != 1 || inputs != own.outputs).then(|| {
                    let mut scope = scope.sub(name);
                    let mut scope = scope.sub("downsample");
                    Unit {
                        conv: Conv2d::fan_out(&mut scope.sub("0"), inputs, own.outputs, 1, stride),
                        norm: BatchNorm2d::new(&mut scope.sub("1"), own.outputs),
                    }
                }),
            })
        });
    }
    BlockSpec::sequence(name, parts)
}

/// Convolution and normalisation.
struct Unit {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Unit {
    /// The normalisation's output is the caller's own and its backward does not read it: it can be changed in place.
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        self.norm.forward(vars, &self.conv.forward(vars, input)?, pass)
    }
}

/// With ReLU; takes what is computed so far and the input of the block (the same at first), and passes that on for the shortcut.
struct Inner(Unit);

impl ListBlock for Inner {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        let (hidden, input) = (&inputs[0], &inputs[inputs.len() - 1]);
        Ok(vec![relu(self.0.forward(vars, hidden, pass)?)?, input.shallow_clone()])
    }
}

/// ReLU of the sum with the shortcut.
struct Last {
    unit: Unit,
    shortcut: Option<Unit>,
}

impl ListBlock for Last {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        let (hidden, input) = (&inputs[0], &inputs[1]);
        let mut hidden = self.unit.forward(vars, hidden, pass)?;
        let shortcut = match &self.shortcut {
            Some(unit) => unit.forward(vars, input, pass)?,
            None => input.shallow_clone(),
        };
        Ok(vec![relu(hidden.f_add_(&shortcut)?)?])
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
