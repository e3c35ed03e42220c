//! Auxiliary heads for local learning: small classifiers that give the modules below the last one a loss of their own.

use crate::describe::BlockInfo;
use crate::layers::{BatchNorm2d, Conv2d, Linear, average_pool, relu};
use crate::options::nearest;
use crate::{ModelError, OptionSpec};
use dtrp_core::torch::{Block, BlockSpec, Init, Pass, Scope, Vars};
use std::ops::Range;
use tch::{TchError, Tensor};

/// A kind of auxiliary head. All end by pooling to at most 2 × 2 pixels before what is fully connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeadKind {
    /// Pooling and one linear layer.
    LinearPool,
    /// A 3×3 convolution as wide as its input, with normalisation and ReLU, then as [`HeadKind::LinearPool`].
    Conv,
    /// Pooling to a quarter of height and width, three 1×1 convolutions, pooling, three linear layers (Belilovsky,
    /// Eickenberg and Oyallon, 2020: MLP-SR).
    Mlp,
    /// A 3×3 convolution, with normalisation and ReLU, of the channels and the resolution of each of a few of the later
    /// blocks, evenly chosen and the fewer the higher the module (Ma, Wu, Si and Tan, 2024: AugLocal); then as
    /// [`HeadKind::LinearPool`].
    Sampled,
}

/// All kinds by name.
pub const KINDS: [(&str, HeadKind); 4] = [
    ("linear-pool", HeadKind::LinearPool),
    ("conv", HeadKind::Conv),
    ("mlp", HeadKind::Mlp),
    ("sampled", HeadKind::Sampled),
];

/// How configurations speak of them.
pub const OPTION: OptionSpec = OptionSpec {
    name: "auxiliary",
    default: "mlp",
    help: "head of each module but the last: linear-pool, conv, mlp or sampled",
};

/// Most layers of a [`HeadKind::Sampled`] head.
const SAMPLED: usize = 4;
/// Side of the image that everything fully connected sees, where there are so many pixels.
const POOLED: i64 = 2;
/// 1×1 convolutions and hidden linear layers of [`HeadKind::Mlp`], and the most features of the latter, lest the head
/// outgrow the network where there are many channels.
const CONVOLUTIONS: usize = 3;
const HIDDEN_LAYERS: usize = 2;
const HIDDEN_FEATURES: i64 = 1024;

impl HeadKind {
    /// The kind of this name.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownHead`].
    pub fn named(name: &str) -> Result<Self, ModelError> {
        let found = KINDS.iter().find(|(known, _)| *known == name);
        let names = || KINDS.iter().map(|(known, _)| *known);
        found.map(|(_, kind)| *kind).ok_or_else(|| ModelError::UnknownHead {
            name: name.to_owned(),
            nearest: nearest(name, names()),
            known: names().collect::<Vec<_>>().join(", "),
        })
    }
}

/// The heads of all modules but the last, for a network with these `blocks` cut into `modules`. Each is a block from the
/// module's output to logits, samples × `classes`; its parameters' names start with `auxiliary1.`, `auxiliary2.`, …, so
/// they cannot be taken for the network's.
pub fn heads(kind: HeadKind, blocks: &[BlockInfo], modules: &[Range<usize>], classes: usize) -> Vec<BlockSpec> {
    let count = modules.len();
    let below_last = modules.iter().zip(1..count);
    let of_module = |(range, k): (&Range<usize>, usize)| {
        let name = format!("auxiliary{k}");
        let shape = image(&blocks[range.end - 1]);
        // From SAMPLED at the lowest module down to one layer, linearly.
        let layers = (SAMPLED * (count - k)).div_ceil(count - 1);
        let later = evenly(&blocks[range.end..], layers);
        head(kind, &name, shape, &later, classes)
    };
    below_last.map(of_module).collect()
}

/// One head, on activations of `shape` (channels, height, width) for each sample, which may also come flat where height and
/// width are 1. `later` are the shapes that [`HeadKind::Sampled`] goes through; the other kinds leave them aside. Parameters'
/// names start with `name` and a dot.
pub fn head(kind: HeadKind, name: &str, shape: [usize; 3], later: &[[usize; 3]], classes: usize) -> BlockSpec {
    BlockSpec::build(name, |scope| {
        Head::new(&mut scope.sub(name), kind, shape, later, classes as i64)
    })
}

/// A block's output as channels, height and width.
fn image(block: &BlockInfo) -> [usize; 3] {
    match *block.output_shape {
        [channels, height, width] => [channels, height, width],
        ref shape => [shape.iter().product(), 1, 1],
    }
}

/// The shapes of `count` of the blocks that give images, evenly spread and ending with the last of them.
fn evenly(blocks: &[BlockInfo], count: usize) -> Vec<[usize; 3]> {
    let images: Vec<_> = blocks.iter().filter(|block| block.output_shape.len() == 3).collect();
    let count = count.min(images.len());
    (1..=count)
        .map(|i| image(images[i * images.len() / count - 1]))
        .collect()
}

struct Head {
    /// Channels of the input.
    channels: i64,
    units: Vec<Unit>,
    pooled: [i64; 2],
    hidden: Vec<Linear>,
    last: Linear,
}

/// Pooling to a size, convolution, normalisation, ReLU.
struct Unit {
    size: [i64; 2],
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Head {
    fn new(scope: &mut Scope<'_>, kind: HeadKind, shape: [usize; 3], later: &[[usize; 3]], classes: i64) -> Self {
        let [channels, height, width] = shape.map(|n| n as i64);
        // Channels and size after each convolution, and its kernel.
        let steps: Vec<([i64; 3], i64)> = match kind {
            HeadKind::LinearPool => vec![],
            HeadKind::Conv => vec![([channels, height, width], 3)],
            HeadKind::Mlp => {
                let quarter = |n: i64| (n + 3) / 4;
                vec![([channels, quarter(height), quarter(width)], 1); CONVOLUTIONS]
            }
            HeadKind::Sampled => {
                let step = |shape: &[usize; 3]| (shape.map(|n| n as i64), 3);
                later.iter().map(step).collect()
            }
        };
        let mut inputs = channels;
        let mut size = [height, width];
        let mut units = Vec::with_capacity(steps.len());
        for (index, ([outputs, height, width], kernel)) in steps.into_iter().enumerate() {
            size = [height, width];
            let (conv, norm) = (format!("conv{index}"), format!("bn{index}"));
            units.push(Unit {
                size,
                conv: Conv2d::fan_out(&mut scope.sub(&conv), inputs, outputs, kernel, 1),
                norm: BatchNorm2d::new(&mut scope.sub(&norm), outputs),
            });
            inputs = outputs;
        }
        let pooled = size.map(|n| n.min(POOLED));
        let mut features = inputs * pooled[0] * pooled[1];
        let mut hidden = Vec::new();
        if kind == HeadKind::Mlp {
            for index in 0..HIDDEN_LAYERS {
                let scope = &mut scope.sub(&format!("hidden{index}"));
                let outputs = features.min(HIDDEN_FEATURES);
                let init = Init::he_normal(features);
                hidden.push(Linear::new(scope, features, outputs, init));
                features = outputs;
            }
        }
        Self {
            channels,
            units,
            pooled,
            hidden,
            last: Linear::torch(&mut scope.sub("fc"), features, classes),
        }
    }
}

impl Block for Head {
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let mut hidden = match input.dim() {
            4 => input.shallow_clone(),
            _ => input.f_view([-1, self.channels, 1, 1])?,
        };
        for unit in &self.units {
            if hidden.size()[2..] != unit.size {
                hidden = hidden.f_adaptive_avg_pool2d(unit.size)?;
            }
            let output = unit.conv.forward(vars, &hidden)?;
            hidden = relu(unit.norm.forward(vars, &output, pass)?)?;
        }
        let mut features = average_pool(&hidden, self.pooled)?;
        for linear in &self.hidden {
            features = relu(linear.forward(vars, &features)?)?;
        }
        self.last.forward(vars, &features)
    }
}
