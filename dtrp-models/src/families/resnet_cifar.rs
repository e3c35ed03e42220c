//! ResNets for small images (He et al., 2016, section 4.2): 6n+2 layers, three stages of n basic blocks with 16, 32 and 64
//! channels, global average pooling, one linear layer.

use super::SIZES;
use crate::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, Linear, average_pool, relu};
use crate::registry::{Family, ModelInput};
use dtrp_core::torch::{Block, BlockSpec, Init, ListBlock, Pass, Scope, Vars};
use dtrp_text::{OptionSpec, Options};
use tch::{TchError, Tensor};

inventory::submit!(Family::new(
    "resnet-cifar",
    "ResNet of 6n+2 layers for small images: 20, 32, 44, 56, 110, 1202, ...",
    &[
        OptionSpec::count("depth", 14, SIZES, "6n+2: 8, 14, 20, 32, 44, 56, 110, 1202, ..."),
        OptionSpec::count(
            "width",
            16,
            SIZES,
            "channels of the first stage; doubled in each next one"
        ),
        OptionSpec::choice(
            "shortcut",
            "A",
            &["A", "B"],
            "where the shape changes: A (subsample and pad with zeros) or B (1x1 convolution)",
        ),
    ],
    build,
));

#[derive(Clone, Copy, PartialEq, Eq)]
enum ShortcutKind {
    Pad,
    Project,
}

fn build(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
    let depth = options.count("depth");
    if depth < 8 || depth % 6 != 2 {
        return Err(options
            .invalid("depth", "6n+2 with n from 1: 8, 14, 20, 32, 44, 56, 110, ...")
            .into());
    }
    let width = options.count("width") as i64;
    let shortcut = match options.choice("shortcut") {
        "A" => ShortcutKind::Pad,
        _ => ShortcutKind::Project,
    };
    if input.height.min(input.width) < 4 {
        return Err(input.misfit(
            options.owner(),
            "two stages halve the image, so it needs at least 4 x 4 pixels",
        ));
    }
    let mut blocks = vec![BlockSpec::build("stem", |scope| Stem {
        conv: Conv2d::new(&mut scope.sub("conv1"), input.channels as i64, width, 3, 1),
        norm: BatchNorm2d::new(&mut scope.sub("bn1"), width),
    })];
    let mut inputs = width;
    for stage in 1..=3 {
        let outputs = width << (stage - 1);
        for index in 0..(depth - 2) / 6 {
            let stride = if stage > 1 && index == 0 { 2 } else { 1 };
            let name = format!("layer{stage}.{index}");
            blocks.push(basic(&name, inputs, outputs, stride, shortcut));
            inputs = outputs;
        }
    }
    blocks.push(BlockSpec::build("head", |scope| Head {
        linear: Linear::new(
            &mut scope.sub("linear"),
            inputs,
            input.classes as i64,
            Init::he_normal(inputs),
        ),
    }));
    Ok(blocks)
}

/// Convolution, normalisation, ReLU.
struct Stem {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Block for Stem {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        relu(self.norm.forward(vars, &self.conv.forward(vars, input)?, pass)?)
    }
}

/// The basic residual block: two 3×3 convolutions beside a shortcut. It can be cut between them.
fn basic(name: &str, inputs: i64, outputs: i64, stride: i64, kind: ShortcutKind) -> BlockSpec {
    let first = BlockSpec::build("conv1", |scope| {
        let mut scope = scope.sub(name);
        First {
            conv1: Conv2d::new(&mut scope.sub("conv1"), inputs, outputs, 3, stride),
            bn1: BatchNorm2d::new(&mut scope.sub("bn1"), outputs),
        }
    });
    let second = BlockSpec::build("conv2", |scope| {
        let mut scope = scope.sub(name);
        Second {
            conv2: Conv2d::new(&mut scope.sub("conv2"), outputs, outputs, 3, 1),
            bn2: BatchNorm2d::new(&mut scope.sub("bn2"), outputs),
            shortcut: Shortcut::new(&mut scope, inputs, outputs, stride, kind),
        }
    });
    BlockSpec::sequence(name, vec![first, second])
}

/// Convolution, normalisation, ReLU: gives what it has computed, and its input for the shortcut.
struct First {
    conv1: Conv2d,
    bn1: BatchNorm2d,
}

impl ListBlock for First {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        let input = &inputs[0];
        // The normalisation's output is this block's own and its backward does not read it: changed in place.
        let hidden = relu(self.bn1.forward(vars, &self.conv1.forward(vars, input)?, pass)?)?;
        Ok(vec![hidden, input.shallow_clone()])
    }
}

/// Convolution, normalisation, and ReLU of the sum with the shortcut.
struct Second {
    conv2: Conv2d,
    bn2: BatchNorm2d,
    shortcut: Shortcut,
}

impl ListBlock for Second {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        let (hidden, input) = (&inputs[0], &inputs[1]);
        let mut output = self.bn2.forward(vars, &self.conv2.forward(vars, hidden)?, pass)?;
        relu(output.f_add_(&self.shortcut.forward(vars, input, pass)?)?).map(|output| vec![output])
    }
}

enum Shortcut {
    Identity,
    /// Every `stride`-th pixel, and `channels` channels of zeros on either side.
    Pad {
        stride: i64,
        channels: i64,
    },
    Project(Conv2d, BatchNorm2d),
}

impl Shortcut {
    fn new(scope: &mut Scope<'_>, inputs: i64, outputs: i64, stride: i64, kind: ShortcutKind) -> Self {
        match kind {
            _ if stride == 1 && inputs == outputs => Self::Identity,
            ShortcutKind::Pad => Self::Pad {
                stride,
                channels: (outputs - inputs) / 2,
            },
            ShortcutKind::Project => {
                let mut scope = scope.sub("shortcut");
                let conv = Conv2d::new(&mut scope.sub("0"), inputs, outputs, 1, stride);
                Self::Project(conv, BatchNorm2d::new(&mut scope.sub("1"), outputs))
            }
        }
    }

    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        match self {
            Shortcut::Identity => Ok(input.shallow_clone()),
            Shortcut::Pad { stride, channels } => input
                .f_slice(2, None, None, *stride)?
                .f_slice(3, None, None, *stride)?
                .f_constant_pad_nd([0, 0, 0, 0, *channels, *channels]),
            Shortcut::Project(conv, norm) => norm.forward(vars, &conv.forward(vars, input)?, pass),
        }
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
