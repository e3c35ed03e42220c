//! One network in one piece: logits and gradients, and the comparison with what PyTorch computed.

use dtrp_core::torch::{Arena, Mode, Module, Pass};
use dtrp_models::{ModelInput, OptionValues, build};
use std::collections::HashMap;
use tch::{Device, Kind, Reduction, Tensor};

pub(crate) const CLASSES: usize = 10;
pub(crate) const SAMPLES: usize = 4;
pub(crate) const INPUT: ModelInput = ModelInput {
    channels: 3,
    height: 64,
    width: 64,
    classes: CLASSES,
};

/// A network with its weights.
pub(crate) struct Net {
    pub(crate) module: Module,
    pub(crate) arena: Arena,
}

impl Net {
    pub(crate) fn new(family: &str, options: &OptionValues, kind: Kind) -> Self {
        let blocks = build(family, options, &INPUT).unwrap().blocks;
        let module = Module::new(blocks, 0, kind, Device::Cpu).unwrap();
        let arena = Arena::zeros(module.layout(), module.options()).unwrap();
        Self { module, arena }
    }

    /// Names and shapes of parameters and buffers.
    pub(crate) fn names(&self) -> Vec<(String, Vec<i64>)> {
        let params = self.module.params().map(|spec| (spec.name.clone(), spec.shape.clone()));
        let buffers = self.module.buffers();
        params
            .chain(buffers.map(|(spec, _)| (spec.name.clone(), spec.shape.clone())))
            .collect()
    }

    /// Overwrites all parameters and buffers.
    pub(crate) fn load(&self, tensors: &HashMap<String, Tensor>) {
        let taken = self.module.load(&self.arena, tensors).unwrap();
        assert_eq!(taken, self.names().len());
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Tensor {
        let pass = Pass {
            mode,
            seed: 1,
            batch: 1,
            block: 0,
        };
        let images = images.to_kind(self.module.options().0);
        let [logits] = self
            .module
            .forward(&self.arena, &[images], pass)
            .unwrap()
            .try_into()
            .unwrap();
        logits
    }

    pub(crate) fn logits(&self) -> Tensor {
        tch::no_grad(|| self.forward(&images(), Mode::Evaluate))
    }

    /// The loss of a training step, and every parameter's gradient by name.
    pub(crate) fn gradients(&self) -> (f64, Vec<(String, Tensor)>) {
        let labels: Vec<i64> = (0..SAMPLES).map(|i| ((3 * i + 1) % CLASSES) as i64).collect();
        let logits = self.forward(&images(), Mode::Train);
        let labels = Tensor::from_slice(&labels);
        let loss = logits.cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.0);
        loss.backward();
        let gradient = |leaf: &Tensor| leaf.grad();
        let names = self.module.params().map(|spec| spec.name.clone());
        let gradients = names.zip(self.arena.leaves.iter().map(gradient)).collect();
        (loss.double_value(&[]), gradients)
    }
}

/// The images that the fixtures are made with.
pub(crate) fn images() -> Tensor {
    let shape = [SAMPLES, INPUT.channels, INPUT.height, INPUT.width];
    let pixels: Vec<f32> = draw("images", shape.iter().product())
        .map(|v| (v * 2.0) as f32)
        .collect();
    Tensor::from_slice(&pixels).view(shape.map(|n| n as i64))
}

/// `count` multiples of 2^-23 from -1 to below 1: SplitMix64, with a key folded from the bytes of the name.
pub(crate) fn draw(name: &str, count: usize) -> impl Iterator<Item = f64> {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
    fn mix(mut z: u64) -> u64 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    let key = name
        .bytes()
        .fold(0u64, |key, byte| mix(key.wrapping_add(GAMMA) ^ u64::from(byte)));
    let bits = move |i: u64| mix(key.wrapping_add(i.wrapping_mul(GAMMA))) >> 40;
    (0..count as u64).map(move |i| bits(i) as f64 / f64::from(1 << 23) - 1.0)
}

/// The largest difference, in units of the largest value where that is above 1.
pub(crate) fn difference(ours: &Tensor, theirs: &Tensor) -> f64 {
    let (ours, theirs) = (
        ours.to_kind(Kind::Double).view(-1),
        theirs.to_kind(Kind::Double).view(-1),
    );
    let scale = theirs.abs().max().double_value(&[]).max(1.0);
    (ours - theirs).abs().max().double_value(&[]) / scale
}
