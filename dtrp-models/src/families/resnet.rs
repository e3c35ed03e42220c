//! ResNets of four stages (He et al., 2016), with torchvision's parameter names and initialisation. The bottleneck's stride
//! is in its 3×3 convolution, as there ("v1.5").

use super::SIZES;
use crate::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, Linear, average_pool, max_pool, relu};
use crate::registry::{Family, ModelInput};
use dtrp_core::torch::{Block, BlockSpec, Pass, Scope, Vars};
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
            specs.push(BlockSpec::build(&name, |scope| {
                let mut scope = scope.sub(&name);
                Residual {
                    main: match body {
                        Body::Basic => basic(&mut scope, inputs, outputs, stride),
                        Body::Bottleneck { .. } => bottleneck(&mut scope, inputs, inner, outputs, stride),
                    },
                    shortcut: (stride != 1 || inputs != outputs).then(|| {
                        let mut scope = scope.sub("downsample");
                        let conv = &mut scope.sub("0");
                        let conv = Conv2d::fan_out(conv, inputs, outputs, 1, stride);
                        (conv, BatchNorm2d::new(&mut scope.sub("1"), outputs))
                    }),
                }
            }));
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

/// A residual block: convolutions, each with its normalisation and ReLUs in between, beside a shortcut.
struct Residual {
    main: Vec<(Conv2d, BatchNorm2d)>,
    shortcut: Option<(Conv2d, BatchNorm2d)>,
}

fn basic(scope: &mut Scope<'_>, inputs: i64, outputs: i64, stride: i64) -> Vec<(Conv2d, BatchNorm2d)> {
    vec![
        unit(scope, 1, [inputs, outputs], 3, stride),
        unit(scope, 2, [outputs, outputs], 3, 1),
    ]
}

fn bottleneck(scope: &mut Scope<'_>, inputs: i64, inner: i64, outputs: i64, stride: i64) -> Vec<(Conv2d, BatchNorm2d)> {
    vec![
        unit(scope, 1, [inputs, inner], 1, 1),
        unit(scope, 2, [inner, inner], 3, stride),
        unit(scope, 3, [inner, outputs], 1, 1),
    ]
}

/// Convolution `index` of a residual block, from 1, with its normalisation.
fn unit(
    scope: &mut Scope<'_>,
    index: usize,
    [inputs, outputs]: [i64; 2],
    kernel: i64,
    stride: i64,
) -> (Conv2d, BatchNorm2d) {
    let conv = &mut scope.sub(&format!("conv{index}"));
    let conv = Conv2d::fan_out(conv, inputs, outputs, kernel, stride);
    let norm = BatchNorm2d::new(&mut scope.sub(&format!("bn{index}")), outputs);
    (conv, norm)
}

impl Block for Residual {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        // The normalisations' outputs are this block's own and their backward does not read them: changed in place.
        let mut hidden = input.shallow_clone();
        for (index, (conv, norm)) in self.main.iter().enumerate() {
            hidden = norm.forward(vars, &conv.forward(vars, &hidden)?, pass)?;
            if index + 1 < self.main.len() {
                hidden = relu(hidden)?;
            }
        }
        let shortcut = match &self.shortcut {
            Some((conv, norm)) => norm.forward(vars, &conv.forward(vars, input)?, pass)?,
            None => input.shallow_clone(),
        };
        relu(hidden.f_add_(&shortcut)?)
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
