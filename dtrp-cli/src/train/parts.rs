//! What a run is put together from: stages with their optimizers and predictors, and programs from files.

use super::device::{kind, precision};
use super::trainer::Length;
use crate::commands::schedule;
use crate::config::{Config, OptimizerName};
use crate::error::Error;
use dtrp_core::analysis;
use dtrp_core::schedule::{Method, Plan, Program};
use dtrp_core::torch::{
    Adam, Forecaster, LearningRate, Loss, Module, Optimizer, Rescale, Sgd, StageOptions,
    TorchStage, Worker,
};
use dtrp_models::{ModelInput, Network, auxiliary};
use std::num::NonZeroUsize;
use std::path::Path;
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
    pub(super) fn stages(
        &self,
        network: Network,
        input: &ModelInput,
    ) -> Result<Vec<TorchStage>, Error> {
        let section = &self.config.method;
        let modules = self.devices.len();
        let told =
            |error| Error::of_torch(error, section.predictor.0.plugin.is_some(), str::to_owned);
        let ranges = dtrp_models::split(network.blocks.len(), modules, &section.cuts.0)?;
        let (network, heads) = match self.method.gradients {
            true => (network, Vec::new()),
            // Heads fit the shapes of the network's activations, which takes a copy of it to find out.
            false => {
                let model = &self.config.model;
                let copy = dtrp_models::build(&model.name, &model.options, input)?;
                let blocks = copy.describe(input)?;
                let kind = auxiliary::HeadKind::named(&section.auxiliary)?;
                (
                    network,
                    auxiliary::heads(kind, &blocks, &ranges, input.classes),
                )
            }
        };
        let mut heads = heads.into_iter();
        let mut blocks = network.blocks.into_iter();
        let mut stages = Vec::with_capacity(modules);
        let precision = precision(self.config.run.precision)?;
        for (index, range) in ranges.into_iter().enumerate() {
            let own: Vec<_> = blocks.by_ref().take(range.len()).collect();
            let kind = kind(self.config.run.dtype);
            let module =
                Module::with_auxiliary(own, heads.next(), range.start, kind, self.devices[index]);
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
            optimizer,
            ..
        } = self.config;
        let modules = self.devices.len();
        // The distance to the last module is a small number.
        let above = (modules - 1 - index) as i32;
        let mut rate = self.rate.clone().scaled(method.lr_shrink.powi(above));
        if method.rescale_epochs > 0.0 {
            let updates =
                (method.rescale_epochs * self.length.updates_per_epoch as f64).round() as u64;
            rate = rate.rescaled(Rescale {
                staleness: self.staleness[index].into(),
                updates,
            });
        }
        let forecaster = match self.predicts[index] {
            true => Some(self.forecaster()?),
            false => None,
        };
        Ok(StageOptions {
            module: index + 1,
            modules,
            seed: run.seed,
            loss: Loss {
                label_smoothing: optimizer.label_smoothing,
            },
            rate,
            optimizer: self.optimizer(index),
            gradient_shrink: method.gradient_shrink,
            gradients: self.method.gradients,
            forecaster,
            worker: Worker {
                threads: run.threads_per_worker.into(),
            },
        })
    }

    fn optimizer(&self, index: usize) -> Box<dyn Optimizer> {
        let section = &self.config.optimizer;
        let (decay, all) = (section.weight_decay, section.decay_bias_and_norm);
        let [beta1, beta2] = section.betas;
        let adam = |decoupled| Adam::new((beta1, beta2), section.epsilon, decay, decoupled, all);
        match section.name {
            OptimizerName::Sgd => {
                let sgd = Sgd::new(section.momentum, section.nesterov, decay, all);
                match self.config.method.spike {
                    true => Box::new(sgd.spike_compensation(self.staleness[index])),
                    false => Box::new(sgd),
                }
            }
            OptimizerName::Adam => Box::new(adam(false)),
            OptimizerName::AdamW => Box::new(adam(true)),
        }
    }

    fn forecaster(&self) -> Result<Forecaster, Error> {
        let section = &self.config.method;
        let spec = &section.predictor.0;
        let predictor = dtrp_predictors::create(spec)
            .map_err(|error| Error::of_predictor(error, spec.plugin.is_some()))?;
        Ok(Forecaster::new(predictor, section.probe_every))
    }
}

/// The most updates between a unit's forward and its backward at each module, counted from the program. Enough batches are
/// laid out for the pipeline to fill.
pub(super) fn staleness(
    method: &Method,
    plan: &Plan,
    fixed: Option<&Program>,
) -> Result<Vec<u32>, Error> {
    let program = match fixed {
        Some(program) => program.clone(),
        None => {
            let fill = u32::try_from(4 * plan.modules)
                .unwrap_or(u32::MAX)
                .saturating_mul(plan.accumulate);
            method.program(&Plan {
                batches: fill,
                ..plan.clone()
            })?
        }
    };
    let report = analysis::analyse(&program, NonZeroUsize::MIN);
    let report = report.map_err(|fault| Error::Bug(fault.to_string()))?;
    Ok(report
        .workers
        .iter()
        .map(|worker| worker.max_staleness())
        .collect())
}

/// Reads the program of `method.program` and checks that it is right and fits the run.
pub(super) fn from_file(path: &Path, plan: &Plan) -> Result<Program, Error> {
    let program = schedule::read(path)?;
    if let Err(fault) = analysis::analyse(&program, NonZeroUsize::MIN) {
        return Err(schedule::wrong(path, &fault));
    }
    for (what, own, wanted) in [
        ("modules", program.modules(), plan.modules),
        (
            "micro_batches",
            program.micro_batches.into(),
            plan.micro_batches.into(),
        ),
    ] {
        if own != wanted {
            let message = format!("the program has {what} {own}, but method.{what} is {wanted}");
            return Err(schedule::wrong(path, &message));
        }
    }
    match program.batches {
        0 => Err(schedule::wrong(path, &"the program has no batches")),
        _ => Ok(program),
    }
}
