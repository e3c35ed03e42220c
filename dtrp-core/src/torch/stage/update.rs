//! The weights of a stage: predicting them, and updating them.

use super::{StageOptions, TorchStage};
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::network::copy;
use crate::torch::prediction::State;
use crate::torch::shim;
use dtrp_predictors::Context;
use std::time::Instant;
use tch::Tensor;

impl TorchStage {
    /// Predicts the weights `horizon` updates ahead. Returns the index of the arena that holds them.
    pub(super) fn predict(&mut self, unit: Unit, horizon: u32) -> Result<usize, TorchError> {
        let start = Instant::now();
        let rates = self.options.rate.coming(self.metrics.updates, horizon);
        let context = Context {
            module: self.options.module,
            modules: self.options.modules,
            update: self.metrics.updates,
            learning_rates: &rates,
            optimizer: self.options.optimizer.state(),
        };
        let forecaster = self.options.forecaster.as_mut();
        let rule = forecaster.map(|f| f.rule(&context)).transpose()?.flatten();
        let used = match rule {
            Some(_) => self.versions.spare(&self.module)?,
            None => self.versions.current(),
        };
        let state = State {
            weights: &self.versions.weights().flat,
            direction: self.options.optimizer.direction(),
            gradient: self.last_gradient.as_ref(),
            displacement: self.displacement.as_ref(),
        };
        let Some(forecaster) = &mut self.options.forecaster else {
            return Ok(self.versions.current());
        };
        if let Some(rule) = rule {
            let mut out = self.versions.arena(used).flat.shallow_clone();
            forecaster.write(rule, &context, &state, &mut out)?;
        }
        forecaster.spend(start);
        forecaster.predicted(unit, &context, &state, &self.versions.arena(used).flat)?;
        Ok(used)
    }

    /// Adds gradients of a batch of so many samples to those that wait for the update, or starts them.
    pub(super) fn accumulate(
        &mut self,
        batch: u32,
        samples: f64,
        mut grads: Vec<Option<Tensor>>,
    ) -> Result<(), TorchError> {
        let first = self.pending.is_empty();
        let weight = self.pending.add(batch, samples);
        if weight != 1.0 {
            for grad in grads.iter_mut().flatten() {
                *grad = grad.f_mul_scalar(weight)?;
            }
        }
        let mut known = (Vec::new(), Vec::new());
        for (view, grad) in self.gradient_views.iter_mut().zip(grads) {
            match grad {
                Some(grad) => {
                    known.0.push(view.shallow_clone());
                    known.1.push(grad);
                }
                None if first => drop(view.f_zero_()?),
                None => {}
            }
        }
        if first {
            shim::copy_all(&known.0, &known.1)
        } else {
            shim::add_all(&known.0, &known.1)
        }
    }

    /// Keeps what the predictor reads of an update that is about to be made. Returns the weights before it, if needed.
    pub(super) fn before_update(&mut self) -> Result<Option<Tensor>, TorchError> {
        let Some(forecaster) = &mut self.options.forecaster else {
            return Ok(None);
        };
        let start = Instant::now();
        let inputs = forecaster.inputs();
        if inputs.gradient {
            self.last_gradient = Some(copy(&self.gradient)?);
        }
        let weights = inputs.displacement.then(|| &self.versions.weights().flat);
        let before = weights.map(copy).transpose()?;
        forecaster.spend(start);
        Ok(before)
    }

    /// Keeps what the predictor reads of the update just made, and shows it to one that learns from it.
    pub(super) fn after_update(&mut self, rate: f64, before: Option<Tensor>) -> Result<(), TorchError> {
        let StageOptions {
            module,
            modules,
            optimizer,
            forecaster,
            ..
        } = &mut self.options;
        let Some(forecaster) = forecaster else {
            return Ok(());
        };
        let start = Instant::now();
        let weights = &self.versions.weights().flat;
        self.displacement = before.map(|before| weights.f_sub(&before)).transpose()?;
        if forecaster.wants_observe() {
            let context = Context {
                module: *module,
                modules: *modules,
                update: self.metrics.updates,
                learning_rates: &[rate],
                optimizer: optimizer.state(),
            };
            let state = State {
                weights,
                direction: optimizer.direction(),
                gradient: self.last_gradient.as_ref(),
                displacement: self.displacement.as_ref(),
            };
            forecaster.observe(&context, &state)?;
        }
        forecaster.spend(start);
        Ok(())
    }

    pub(super) fn apply_gradient(&mut self) -> Result<(), TorchError> {
        let share = self.pending.take();
        if share != 1.0 {
            let _ = self.gradient.f_mul_scalar_(share)?;
        }
        let before = self.before_update()?;
        self.versions.turn(&self.module)?;
        let rate = self.options.rate.at(self.metrics.updates);
        let weights = &mut self.versions.weights_mut().flat;
        self.options
            .optimizer
            .step(self.module.layout(), weights, &mut self.gradient, rate)?;
        self.metrics.updates += 1;
        self.after_update(rate, before)
    }
}
