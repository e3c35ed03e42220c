//! Stages with their optimizers and predictors.

use super::length::Length;
use super::recipe::{OptimizerContext, Recipe};
use crate::error::{Result, TrainError};
use crate::settings::{OptimizerName, OptimizerSettings, Settings};
use dtrp_core::torch::{
    Adam, BlockSpec, Forecaster, LearningRate, Module, Optimizer, Precision, Rescale, Sgd, StageOptions, TorchError,
    TorchStage, WorkerThread, allow_tf32,
};
use dtrp_models::auxiliary;
use dtrp_models::{BlockInfo, ModelError};
use dtrp_predictors::Context;
use std::ops::Range;
use tch::Device;

/// Everything that stages are made from.
pub(crate) struct Parts<'a> {
    pub(crate) recipe: &'a Recipe,
    /// Whether gradients travel between modules.
    pub(crate) gradients: bool,
    /// Auxiliary heads, of module 1 first; none where gradients travel.
    pub(crate) heads: &'a [BlockSpec],
    /// The blocks of each module.
    pub(crate) ranges: &'a [Range<usize>],
    /// One for each module.
    pub(crate) devices: &'a [Device],
    /// Whether each module predicts.
    pub(crate) predicts: &'a [bool],
    /// Of each module in the steady state, in updates.
    pub(crate) staleness: &'a [u32],
    pub(crate) length: &'a Length,
    pub(crate) rate: &'a LearningRate,
}

impl Parts<'_> {
    /// Makes a stage of each module.
    pub(crate) fn stages(&self) -> Result<Vec<TorchStage>> {
        let run = &self.recipe.settings.run;
        let told = |error: TorchError| TrainError::of_torch(error, self.recipe.plugin(), None);
        allow_tf32(run.precision == Precision::Tf32).map_err(told)?;
        let mut heads = self.heads.iter().cloned();
        let mut blocks = self.recipe.network.blocks.iter().cloned();
        let mut stages = Vec::with_capacity(self.ranges.len());
        for (index, range) in self.ranges.iter().enumerate() {
            let own: Vec<_> = blocks.by_ref().take(range.len()).collect();
            let (kind, device) = (run.dtype.kind(), self.devices[index]);
            let module = Module::with_auxiliary(own, heads.next(), range.start, kind, device);
            let mut module = module.map_err(told)?.precision(run.precision);
            if run.channels_last == Some(true) {
                module = module.channels_last();
            }
            stages.push(TorchStage::new(module, self.options(index)?).map_err(told)?);
        }
        Ok(stages)
    }

    fn options(&self, index: usize) -> Result<StageOptions> {
        let Settings {
            run, method, optimizer, ..
        } = &self.recipe.settings;
        let modules = self.devices.len();
        // The distance to the last module is a small number.
        let above = (modules - 1 - index) as i32;
        let staleness = self.staleness[index];
        let mut rate = self.rate.clone().scaled(method.lr_shrink.powi(above));
        if method.rescale_epochs > 0.0 {
            let updates = self.length.updates_in(method.rescale_epochs);
            rate = rate.rescaled(Rescale {
                staleness: staleness.into(),
                updates,
            });
        }
        let forecaster = if self.predicts[index] {
            Some(self.forecaster()?)
        } else {
            None
        };
        let context = OptimizerContext {
            module: index + 1,
            modules,
            staleness,
        };
        let optimizer = match &self.recipe.optimizer {
            Some(factory) => factory(context),
            None => optimizer.build(method.spike.then_some(staleness)),
        };
        if forecaster.is_some() {
            self.check_rule(index + 1, &*optimizer)?;
        }
        Ok(StageOptions {
            module: index + 1,
            modules,
            seed: run.seed,
            loss: self.recipe.loss(),
            rate,
            optimizer,
            gradient_shrink: method.gradient_shrink,
            gradients: self.gradients,
            forecaster,
            worker: WorkerThread {
                threads: run.threads_per_worker.into(),
            },
        })
    }

    fn forecaster(&self) -> Result<Forecaster> {
        let method = &self.recipe.settings.method;
        let predictor = dtrp_predictors::create(&method.predictor.0).map_err(|source| TrainError::Predictor {
            plugin: self.recipe.plugin(),
            source,
        })?;
        Ok(Forecaster::new(predictor, method.probe_every))
    }

    /// Whether the predictor's rule has a meaning for the optimizer, which it says when it is asked for one. Plug-ins are
    /// asked at work only, where they are watched.
    fn check_rule(&self, module: usize, optimizer: &dyn Optimizer) -> Result<()> {
        if self.recipe.plugin() {
            return Ok(());
        }
        let spec = &self.recipe.settings.method.predictor.0;
        let rule = dtrp_predictors::create(spec).and_then(|mut predictor| {
            predictor.rule(&Context {
                module,
                modules: self.devices.len(),
                update: 0,
                learning_rates: &[self.recipe.settings.optimizer.lr],
                optimizer: optimizer.state(),
            })
        });
        let wrong = |source| TrainError::Predictor { plugin: false, source };
        rule.map(|_| ()).map_err(wrong)
    }
}

/// The auxiliary head of every module but the last, for the shapes of the network's activations, and what each is. A head that
/// cannot run on them is found here.
pub(crate) fn heads(
    recipe: &Recipe,
    blocks: &[BlockInfo],
    ranges: &[Range<usize>],
) -> Result<(Vec<BlockSpec>, Vec<BlockInfo>), ModelError> {
    let kind = auxiliary::HeadKind::named(&recipe.settings.method.auxiliary)?;
    let heads = auxiliary::heads(kind, blocks, ranges, recipe.input().classes);
    let outputs = ranges.iter().map(|range| blocks[range.end - 1].output_shape());
    let infos = heads
        .iter()
        .zip(outputs)
        .map(|(head, shape)| BlockInfo::of(head, shape));
    let infos = infos.collect::<Result<_, _>>()?;
    Ok((heads, infos))
}

impl OptimizerSettings {
    /// The optimizer of a module; with spike compensation for this staleness in updates, if any (SGD only).
    pub fn build(&self, spike: Option<u32>) -> Box<dyn Optimizer> {
        let [beta1, beta2] = self.betas;
        let adam = |adam: Adam| {
            let adam = adam.betas(beta1, beta2).epsilon(self.epsilon);
            Box::new(
                adam.weight_decay(self.weight_decay)
                    .decay_bias_and_norm(self.decay_bias_and_norm),
            )
        };
        match self.name {
            OptimizerName::Sgd => {
                let sgd = Sgd::new().momentum(self.momentum).nesterov(self.nesterov);
                let sgd = sgd
                    .weight_decay(self.weight_decay)
                    .decay_bias_and_norm(self.decay_bias_and_norm);
                match spike {
                    Some(staleness) => Box::new(sgd.spike_compensation(staleness)),
                    None => Box::new(sgd),
                }
            }
            OptimizerName::Adam => adam(Adam::new()),
            OptimizerName::AdamW => adam(Adam::decoupled()),
        }
    }
}
