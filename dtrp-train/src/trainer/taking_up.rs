//! How a checkpoint is gone on with.

use super::Trainer;
use super::fit::Progress;
use super::going_on::{From, Interrupted};
use crate::assembly::{Length, learning_rate};
use crate::error::{Result, TrainError};
use crate::events::{Checkpoint, CheckpointState, Differences, InProgram, RunPosition, Taken, listed};
use crate::settings::Settings;
use dtrp_core::engine::Mail;
use dtrp_core::schedule::Unit;
use dtrp_core::torch::{Activation, ActivationFacts, GradientFacts, Gradients, TorchError, TorchStage};

impl Trainer {
    /// Takes up a checkpoint, before training begins.
    pub(crate) fn take_up(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let state = checkpoint.state();
        let differences = Differences::of(&state.settings, &self.recipe.settings);
        if !differences.refused.is_empty() {
            return Err(TrainError::Fit(format!(
                "this is not the run of the checkpoint: {}; to train something else with its weights, set model.init_from to its \
                 model.safetensors",
                listed(&differences.refused)
            )));
        }
        let RunPosition { step, program, .. } = state.position;
        if step > self.length.steps {
            return Err(TrainError::Fit(format!(
                "the checkpoint stands after {step} batches, but by run.epochs and run.max_steps the run is over after {}",
                self.length.steps
            )));
        }
        let taken = differences.taken();
        match taken {
            Taken::Whole => self.restore(checkpoint)?,
            Taken::Weights => self.restore_weights(checkpoint)?,
        }
        self.take_progress(checkpoint, taken);
        if taken == Taken::Weights {
            let again = match program {
                Some(_) => "; the batches that were in flight are trained again from its weights",
                None => "",
            };
            tracing::warn!(
                "after batch {step} the run goes on in another way, with what the optimizer has kept: {}{again}",
                listed(&differences.pipeline)
            );
        }
        if !differences.changed.is_empty() {
            tracing::info!("from batch {} on: {}", step + 1, listed(&differences.changed));
        }
        self.tell_rate(state);
        Ok(())
    }

    /// How far the run has come.
    fn take_progress(&mut self, checkpoint: &Checkpoint, taken: Taken) {
        let state = checkpoint.state();
        let RunPosition {
            epochs,
            trained,
            program,
            ..
        } = state.position;
        let results = &state.results;
        let mut trained = trained;
        let mut interrupted = None;
        match (taken, program) {
            (_, None) => {}
            (Taken::Whole, Some(InProgram { batches, batch })) => {
                interrupted = Some(Interrupted {
                    batches,
                    from: From::Checkpoint(batch, checkpoint.clone()),
                });
            }
            (Taken::Weights, Some(place)) => {
                trained += place.batch;
                if let Some(fixed) = &self.programs.fixed {
                    trained -= trained % fixed.batches;
                }
            }
        }
        self.progress = Progress {
            epochs,
            done: results.done,
            last: results.last.clone(),
            best: results.best,
            tally: results.tally.clone(),
            trained,
            epoch_tally: results.epoch_tally.clone(),
            begun: true,
            before: results.seconds,
            interrupted,
            ..Progress::default()
        };
        self.spine.set_loss_sum(results.loss_sum);
        self.spine.set_told(results.told);
    }

    /// Takes up all of a checkpoint of a pipeline like this one.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let facts = &checkpoint.state().modules;
        if facts.len() != self.stages.len() {
            return Err(TrainError::Fit(format!(
                "the checkpoint holds {} modules, and the run has {}",
                facts.len(),
                self.stages.len()
            )));
        }
        let plugin = self.recipe.plugin();
        checkpoint
            .with(|tensors| {
                let mut pairs = self.stages.iter_mut().zip(facts);
                pairs.try_for_each(|(stage, facts)| stage.restore(facts, tensors))
            })
            .map_err(|error| TrainError::of_torch(error, plugin, None))
    }

    /// Takes up what does not depend on where the network is cut.
    fn restore_weights(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let facts: Vec<_> = checkpoint
            .state()
            .modules
            .iter()
            .map(|facts| &facts.optimizer)
            .collect();
        let plugin = self.recipe.plugin();
        checkpoint
            .with(|tensors| {
                self.stages.iter_mut().try_for_each(|stage| {
                    stage.restore_weights(&tensors.model)?;
                    stage.restore_optimizer(&facts, &tensors.optimizer)
                })
            })
            .map_err(|error| TrainError::of_torch(error, plugin, None))
    }

    /// What lay at the modules, on their devices.
    pub(super) fn mail(&self, checkpoint: &Checkpoint) -> Result<Vec<Mail<TorchStage>>> {
        let all = checkpoint.state().mail.iter().flatten().zip(&self.stages);
        let mail = checkpoint.with(|tensors| {
            let mail = all.map(|(facts, stage)| {
                let (_, device) = stage.module().options();
                let up = |list: &[(Unit, ActivationFacts)]| {
                    let one = |(unit, facts): &(Unit, ActivationFacts)| {
                        Ok((*unit, Activation::restore(facts, &tensors.flight, device)?))
                    };
                    list.iter().map(one).collect::<Result<Vec<_>, TorchError>>()
                };
                let down = |list: &[(Unit, GradientFacts)]| {
                    let one = |(unit, facts): &(Unit, GradientFacts)| {
                        Ok((*unit, Gradients::restore(facts, &tensors.flight, device)?))
                    };
                    list.iter().map(one).collect::<Result<Vec<_>, TorchError>>()
                };
                Ok(Mail {
                    arrived_up: up(&facts.arrived_up)?,
                    arrived_down: down(&facts.arrived_down)?,
                    ready_up: up(&facts.ready_up)?,
                    ready_down: down(&facts.ready_down)?,
                })
            });
            mail.collect::<Result<Vec<_>, TorchError>>()
        });
        mail.map_err(|error| self.explain_torch(error))
    }

    /// What becomes of the rate where the run is longer, or its schedule another.
    fn tell_rate(&self, state: &CheckpointState) {
        let rate = |settings: &Settings| {
            let length = Length::of(&settings.run, &self.programs).ok()?;
            let updates = self.stages.last()?.metrics().updates;
            Some(learning_rate(&settings.optimizer, &length).ok()?.at(updates))
        };
        if let (Some(before), Some(now)) = (rate(&state.settings), rate(&self.recipe.settings))
            && before != now
        {
            tracing::info!(
                "the rate schedule goes over the {} batches of the run as it is now: the next rate is {now:.6}, where it would have \
                 been {before:.6}",
                self.length.steps
            );
        }
    }
}
