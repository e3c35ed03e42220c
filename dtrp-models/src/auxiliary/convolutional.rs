//! The heads that come with the crate: a few convolutions, pooling to at most 2 × 2 pixels, linear layers.

use super::{HeadInput, HeadKind, image};
use crate::describe::BlockInfo;
use crate::layers::{BatchNorm2d, Conv2d, Linear, average_pool, relu};
use dtrp_core::torch::{Block, BlockSpec, Init, Pass, Scope, Vars};
use tch::{TchError, Tensor};

inventory::submit!(HeadKind::new("linear-pool", "pooling and one linear layer", |input| {
    head(input, Vec::new(), 0)
}));

inventory::submit!(HeadKind::new(
    "conv",
    "a 3x3 convolution as wide as its input, with normalisation and ReLU, then as linear-pool",
    |input| {
        let shape = input.shape.map(|n| n as i64);
        head(input, vec![Step { shape, kernel: 3 }], 0)
    },
));

// Belilovsky, Eickenberg and Oyallon (2020): MLP-SR.
inventory::submit!(HeadKind::new(
    "mlp",
    "pooling to a quarter of height and width, three 1x1 convolutions, pooling, three linear layers (MLP-SR)",
    |input| {
        let [channels, height, width] = input.shape.map(|n| n as i64);
        let shape = [channels, (height + 3) / 4, (width + 3) / 4];
        head(input, vec![Step { shape, kernel: 1 }; CONVOLUTIONS], HIDDEN_LAYERS)
    },
));

// Ma, Wu, Si and Tan (2024): AugLocal.
inventory::submit!(HeadKind::new(
    "sampled",
    "3x3 convolutions shaped like a few of the later blocks, the fewer the higher the module (AugLocal)",
    |input| {
        // From SAMPLED at the lowest module down to one layer, linearly.
        let layers = (SAMPLED * (input.modules - input.module)).div_ceil(input.modules - 1);
        head(input, evenly(input.above, layers), 0)
    },
));

/// Most layers of a sampled head.
const SAMPLED: usize = 4;
/// Side of the image that everything fully connected sees, where there are so many pixels.
const POOLED: i64 = 2;
/// 1×1 convolutions and hidden linear layers of the MLP head, and the most features of the latter, lest the head outgrow the
/// network where there are many channels.
const CONVOLUTIONS: usize = 3;
const HIDDEN_LAYERS: usize = 2;
const HIDDEN_FEATURES: i64 = 1024;

/// A convolution: channels, height and width after it, and its kernel.
#[derive(Clone, Copy)]
struct Step {
    shape: [i64; 3],
    kernel: i64,
}

fn head(input: &HeadInput<'_>, steps: Vec<Step>, hidden: usize) -> BlockSpec {
    let (shape, classes) = (input.shape.map(|n| n as i64), input.classes as i64);
    BlockSpec::build(input.name, |scope| {
        Head::new(&mut scope.sub(input.name), shape, steps, hidden, classes)
    })
}

/// 3×3 convolutions to the shapes of `count` of the blocks that give images, evenly spread and ending with the last of them.
fn evenly(blocks: &[BlockInfo], count: usize) -> Vec<Step> {
    let images: Vec<_> = blocks.iter().filter(|block| block.output_shape().len() == 3).collect();
    let count = count.min(images.len());
    let shape = |i| image(images[i * images.len() / count - 1]).map(|n| n as i64);
    let steps = (1..=count).map(|i| Step {
        shape: shape(i),
        kernel: 3,
    });
    steps.collect()
}

struct Head {
    /// Channels of the input.
    channels: i64,
    units: Vec<Unit>,
    pooled: [i64; 2],
    dense: Vec<Linear>,
    last: Linear,
}

/// Pooling to a size, convolution, normalisation, ReLU.
struct Unit {
    size: [i64; 2],
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Head {
    /// On activations of `shape`; with `hidden` linear layers before the last one.
    fn new(scope: &mut Scope<'_>, shape: [i64; 3], steps: Vec<Step>, hidden: usize, classes: i64) -> Self {
        let [channels, height, width] = shape;
        let mut inputs = channels;
        let mut size = [height, width];
        let mut units = Vec::with_capacity(steps.len());
        for (index, step) in steps.into_iter().enumerate() {
            let [outputs, height, width] = step.shape;
            size = [height, width];
            let (conv, norm) = (format!("conv{index}"), format!("bn{index}"));
            units.push(Unit {
                size,
                conv: Conv2d::fan_out(&mut scope.sub(&conv), inputs, outputs, step.kernel, 1),
                norm: BatchNorm2d::new(&mut scope.sub(&norm), outputs),
            });
            inputs = outputs;
        }
        let pooled = size.map(|n| n.min(POOLED));
        let mut features = inputs * pooled[0] * pooled[1];
        let mut dense = Vec::with_capacity(hidden);
        for index in 0..hidden {
            let scope = &mut scope.sub(&format!("hidden{index}"));
            let outputs = features.min(HIDDEN_FEATURES);
            dense.push(Linear::new(scope, features, outputs, Init::he_normal(features)));
            features = outputs;
        }
        Self {
            channels,
            units,
            pooled,
            dense,
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
        for linear in &self.dense {
            features = relu(linear.forward(vars, &features)?)?;
        }
        self.last.forward(vars, &features)
    }
}
