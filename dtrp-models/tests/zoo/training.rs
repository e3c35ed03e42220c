//! Stages of a network and data that can be learnt, for the tests that train.

use dtrp_core::schedule::{Method, Unit};
use dtrp_core::torch::{
    BlockSpec, CrossEntropy, Forecaster, Input, LearningRate, Module, Sgd, Source, StageOptions, TorchError,
    TorchStage, WorkerThread,
};
use dtrp_models::{ModelInput, Network};
use dtrp_predictors::Spec;
use std::ops::Range;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// The stages of a network cut into modules, with a head for each but the last or none at all; `rate` gives the learning
/// rate of module k, from 1.
pub(crate) fn stages(
    method: &str,
    network: Network,
    modules: &[Range<usize>],
    heads: Vec<BlockSpec>,
    rate: impl Fn(usize) -> f64,
) -> Vec<TorchStage> {
    let mut blocks = network.blocks.into_iter();
    let mut heads = heads.into_iter();
    let stage = |(index, range): (usize, &Range<usize>)| {
        let own = blocks.by_ref().take(range.len()).collect();
        let (kind, device) = (Kind::Float, Device::Cpu);
        let module = Module::with_auxiliary(own, heads.next(), range.start, kind, device).unwrap();
        let predictor = dtrp_predictors::create(&Spec::named("momentum")).unwrap();
        let options = StageOptions {
            module: index + 1,
            modules: modules.len(),
            seed: 1,
            loss: Arc::new(CrossEntropy::default()),
            rate: LearningRate::constant(rate(index + 1)).unwrap(),
            optimizer: Box::new(Sgd::new().momentum(0.9).weight_decay(5e-4)),
            gradient_shrink: 1.0,
            gradients: Method::named(method).unwrap().gradients,
            forecaster: Some(Forecaster::new(predictor, 1)),
            worker: WorkerThread { threads: 1 },
        };
        TorchStage::new(module, options).unwrap()
    };
    modules.iter().enumerate().map(stage).collect()
}

/// Stripes, as many as the class says, in a phase that differs from sample to sample.
pub(crate) struct Images {
    pub(crate) samples: i64,
    pub(crate) input: ModelInput,
}

impl Source for Images {
    fn next(&mut self, unit: Unit) -> Result<Input, TorchError> {
        let options = (Kind::Float, Device::Cpu);
        let [channels, height, width, classes] = [
            self.input.channels,
            self.input.height,
            self.input.width,
            self.input.classes,
        ]
        .map(|n| n as i64);
        let numbers = Tensor::arange(self.samples, options) + i64::from(unit.batch) * self.samples;
        let labels = (&numbers * 7).remainder(classes);
        let x = Tensor::arange(width, options) / width as f64;
        let angle = (labels.view([-1, 1]) + 1) * x * std::f64::consts::TAU + numbers.view([-1, 1]);
        let images = angle.sin().view([self.samples, 1, 1, width]);
        Ok(Input {
            images: images
                .expand([self.samples, channels, height, width], false)
                .contiguous(),
            labels: labels.to_kind(Kind::Int64),
            share: 1.0,
            parts: 1,
        })
    }
}
