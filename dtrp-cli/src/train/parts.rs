//! What a run is put together from: stages with their optimizers and predictors.

use super::device::{kind, precision};
use super::trainer::Length;
use crate::config::{self, Config, CutsAt, OptimizerName};
use crate::error::Error;
use dtrp_core::schedule::Method;
use dtrp_core::torch::{
    Adam, Forecaster, LearningRate, Loss, Module, Optimizer, Rescale, Sgd, StageOptions, TorchStage, Worker,
};
use dtrp_models::{Cuts, ModelInput, Network, auxiliary};
use std::ops::Range;
use tch::Device;

/// Everything that stages are made from.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) method: &'static Method,
    /// One for each module.
    pub(super) devices: &'a [Device],
    /// Whether each module predicts.
    pub(super) predicts: &'a [bool],
    /// Of each module in the steady state, in updates.
    pub(super) staleness: &'a [u32],
    pub(super) length: &'a Length,
    pub(super) rate: &'a LearningRate,
}

impl Parts<'_> {
    /// Cuts the network and makes a stage of each module.
    pub(super) fn stages(&self, network: Network, input: &ModelInput) -> Result<Vec<TorchStage>, Error> {
        let section = &self.config.method;
        let modules = self.devices.len();
        let told = |error| Error::of_torch(error, section.predictor.0.plugin.is_some(), str::to_owned);
        let ranges = ranges(network.blocks.len(), self.config)?;
        let (network, heads) = match self.method.gradients {
            true => (network, Vec::new()),
            // Heads fit the shapes of the network's activations, which takes a copy of it to find out.
            false => {
                let model = &self.config.model;
                let copy = dtrp_models::build(&model.name, &model.options, input)?;
                let blocks = copy.describe(input)?;
                let kind = auxiliary::HeadKind::named(&section.auxiliary)?;
                (network, auxiliary::heads(kind, &blocks, &ranges, input.classes))
            }
        };
        let mut heads = heads.into_iter();
        let mut blocks = network.blocks.into_iter();
        let mut stages = Vec::with_capacity(modules);
        let precision = precision(self.config.run.precision)?;
        for (index, range) in ranges.into_iter().enumerate() {
            let own: Vec<_> = blocks.by_ref().take(range.len()).collect();
            let kind = kind(self.config.run.dtype);
            let module = Module::with_auxiliary(own, heads.next(), range.start, kind, self.devices[index]);
            let module = module.map_err(told)?.precision(precision);
            let module = match self.config.run.channels_last {
                Some(true) => module.channels_last(),
                _ => module,
            };
            stages.push(TorchStage::new(module, self.options(index)?).map_err(told)?);
        }
        Ok(stages)
    }

    fn options(&self, index: usize) -> Result<StageOptions, Error> {
        let Config {
            run,
            method,
            optimizer: section,
            ..
        } = self.config;
        let modules = self.devices.len();
        // The distance to the last module is a small number.
        let above = (modules - 1 - index) as i32;
        let mut rate = self.rate.clone().scaled(method.lr_shrink.powi(above));
        if method.rescale_epochs > 0.0 {
            let updates = (method.rescale_epochs * self.length.updates_per_epoch as f64).round() as u64;
            rate = rate.rescaled(Rescale {
                staleness: self.staleness[index].into(),
                updates,
            });
        }
        let forecaster = match self.predicts[index] {
            true => Some(self.forecaster()?),
            false => None,
        };
        let spike = method.spike.then(|| self.staleness[index]);
        Ok(StageOptions {
            module: index + 1,
            modules,
            seed: run.seed,
            loss: Loss {
                label_smoothing: section.label_smoothing,
            },
            rate,
            optimizer: optimizer(section, spike),
            gradient_shrink: method.gradient_shrink,
            gradients: self.method.gradients,
            forecaster,
            worker: Worker {
                threads: run.threads_per_worker.into(),
            },
        })
    }

    fn forecaster(&self) -> Result<Forecaster, Error> {
        let section = &self.config.method;
        let spec = &section.predictor.0;
        let predictor =
            dtrp_predictors::create(spec).map_err(|error| Error::of_predictor(error, spec.plugin.is_some()))?;
        Ok(Forecaster::new(predictor, section.probe_every))
    }
}

/// The optimizer of a module; with spike compensation for this staleness, if any.
pub(crate) fn optimizer(section: &config::Optimizer, spike: Option<u32>) -> Box<dyn Optimizer> {
    let (decay, all) = (section.weight_decay, section.decay_bias_and_norm);
    let [beta1, beta2] = section.betas;
    let adam = |decoupled| Adam::new((beta1, beta2), section.epsilon, decay, decoupled, all);
    match section.name {
        OptimizerName::Sgd => {
            let sgd = Sgd::new(section.momentum, section.nesterov, decay, all);
            match spike {
                Some(staleness) => Box::new(sgd.spike_compensation(staleness)),
                None => Box::new(sgd),
            }
        }
        OptimizerName::Adam => Box::new(adam(false)),
        OptimizerName::AdamW => Box::new(adam(true)),
    }
}

/// The blocks of each module, of so many blocks.
pub(super) fn ranges(blocks: usize, config: &Config) -> Result<Vec<Range<usize>>, Error> {
    let cuts = match &config.method.cuts {
        CutsAt::Even => Cuts::Even,
        CutsAt::At(at) => Cuts::At(at.clone()),
        CutsAt::Auto => return Err(Error::Bug("cuts have not been placed".to_owned())),
    };
    Ok(dtrp_models::split(blocks, config.method.modules, &cuts)?)
}
