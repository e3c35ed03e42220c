//! ResNet-8 with plain tensors by name, as the paper draws it, block by block; and SGD as PyTorch documents it. Shares no
//! code with the library.

use crate::run::Run;
use dtrp_models::{split_before, split_evenly};
use std::collections::BTreeMap;
use std::ops::Range;
use tch::{Kind, Tensor};

pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// Stem, three residual blocks, head.
pub(crate) const BLOCKS: usize = 5;

/// What these can be cut into: residual blocks in two.
pub(crate) const PIECES: [&str; 8] = [
    "stem",
    "layer1.0",
    "layer1.0/conv2",
    "layer2.0",
    "layer2.0/conv2",
    "layer3.0",
    "layer3.0/conv2",
    "head",
];

/// The pieces of each module.
pub(crate) fn pieces(run: &Run) -> Vec<Range<usize>> {
    let is_whole = |name: &&str| !name.contains('/');
    if run.places.is_empty() {
        // The number of pieces below each block.
        let all = PIECES.iter().enumerate().filter(|(_, name)| is_whole(name));
        let below: Vec<usize> = all.map(|(index, _)| index).chain([PIECES.len()]).collect();
        let ranges = split_evenly(BLOCKS, run.modules).unwrap().into_iter();
        return ranges.map(|range| below[range.start]..below[range.end]).collect();
    }
    let places: Vec<String> = run.places.iter().map(|place| (*place).to_owned()).collect();
    split_before(&PIECES, run.modules, &places).unwrap()
}

/// Piece `index` in training mode; running statistics are updated only if asked for. What lies between the pieces of a residual
/// block is what the first has computed, and the block's input.
pub(crate) fn piece(w: &Tensors, index: usize, inputs: &[Tensor], statistics: bool) -> Vec<Tensor> {
    let x = &inputs[0];
    if index == 0 {
        return vec![conv_bn(w, "conv1", "bn1", x, 1, statistics).relu()];
    }
    if index == PIECES.len() - 1 {
        let pooled = x.adaptive_avg_pool2d([1, 1]).flatten(1, -1);
        return vec![pooled.linear(&w["linear.weight"], Some(&w["linear.bias"]))];
    }
    let stage = index.div_ceil(2);
    let name = |part: &str| format!("layer{stage}.0.{part}");
    if index % 2 == 1 {
        let stride = if stage == 1 { 1 } else { 2 };
        let hidden = conv_bn(w, &name("conv1"), &name("bn1"), x, stride, statistics).relu();
        return vec![hidden, x.shallow_clone()];
    }
    let main = conv_bn(w, &name("conv2"), &name("bn2"), x, 1, statistics);
    let x = &inputs[1];
    let shortcut = if stage == 1 {
        x.shallow_clone()
    } else if w.contains_key(&name("shortcut.0.weight")) {
        conv_bn(w, &name("shortcut.0"), &name("shortcut.1"), x, 2, statistics)
    } else {
        let channels = x.size()[1] / 2;
        let thinned = x.slice(2, None, None, 2).slice(3, None, None, 2);
        thinned.constant_pad_nd([0, 0, 0, 0, channels, channels])
    };
    vec![(main + shortcut).relu()]
}

/// The whole network.
pub(crate) fn network(w: &Tensors, images: Tensor) -> Tensor {
    let all = (0..PIECES.len()).fold(vec![images], |x, index| piece(w, index, &x, true));
    all.into_iter().next().unwrap()
}

fn conv_bn(w: &Tensors, conv: &str, norm: &str, x: &Tensor, stride: i64, statistics: bool) -> Tensor {
    let weight = &w[&format!("{conv}.weight")];
    let pad = weight.size()[2] / 2;
    let y = x.conv2d::<Tensor>(weight, None, [stride; 2], [pad; 2], [1, 1], 1);
    let get = |what: &str| Some(&w[&format!("{norm}.{what}")]);
    let running = |what: &str| get(what).filter(|_| statistics);
    let (mean, variance) = (running("running_mean"), running("running_var"));
    y.batch_norm(get("weight"), get("bias"), mean, variance, true, 0.1, 1e-5, true)
}

pub(crate) fn is_parameter(name: &str) -> bool {
    /// Buffers, and parameters that are not trained, of the exported network.
    const OTHERS: [&str; 5] = ["mask", "passes", "mean", "frozen", "unread"];
    !name.contains("running") && !name.ends_with("num_batches_tracked") && !OTHERS.contains(&name)
}

/// One step of SGD on one parameter: new weight and new velocity.
pub(crate) fn sgd(run: &Run, name: &str, w: &Tensor, g: &Tensor, v: Option<&Tensor>) -> (Tensor, Tensor) {
    let norm_or_bias = name.ends_with("bias") || name.contains("bn") || name.contains("shortcut.1");
    let g = if run.decay_all || !norm_or_bias {
        g + w * run.weight_decay
    } else {
        g.copy()
    };
    let v = match v {
        None => g.copy(),
        Some(v) => v * run.momentum + &g,
    };
    let step = if run.nesterov { &g + &v * run.momentum } else { v.copy() };
    (w - step * run.rate, v)
}

/// As the workers set their threads.
pub(crate) fn enter() {
    tch::set_num_threads(1);
    dtrp_core::torch::flush_denormals(true);
}

/// Settings whose products are exact, so that it does not matter whether `w - rate * step` is rounded once or twice.
pub(crate) fn exact(run: Run) -> Run {
    Run {
        kind: Kind::Double,
        rate: 0.0625,
        momentum: 0.5,
        weight_decay: 0.0009765625,
        ..run
    }
}
