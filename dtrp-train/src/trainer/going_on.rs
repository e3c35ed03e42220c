//! Checkpoints: when one is due, what it is made of, and how one is gone on with.

use super::fit::Progress;
use super::{Position, RunError, Trainer};
use crate::assembly::{Length, learning_rate};
use crate::data::Due;
use crate::error::{Result, TrainError};
use crate::events::{
    Checkpoint, CheckpointState, Differences, InProgram, MailFacts, PredictorIdentity, Results, RunPosition, Taken,
    Why, listed,
};
use crate::events::{Event, Tally};
use dtrp_core::engine::{self, Execution, Mail, Pause, Paused, Ran};
use dtrp_core::schedule::{Op, Program, Unit};
use dtrp_core::torch::{
    Activation, ActivationFacts, GradientFacts, Gradients, SavedTensors, Tensors, TorchError, TorchStage,
};
use std::time::{Duration, Instant};

/// A program that was interrupted, as a checkpoint has it.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Its length in batches.
    pub(super) batches: u32,
    /// So many of them every module has trained on.
    batch: u32,
    /// What it was taken from.
    checkpoint: Checkpoint,
}

/// The place in a program that was paused.
struct Place<'a> {
    program: &'a Program,
    paused: &'a Paused<TorchStage>,
    /// What came of the part of it that ran in this process.
    tally: Tally,
}

impl Trainer {
    /// Runs a program, or the rest of one that was interrupted, and makes the checkpoints that are due meanwhile. Where the run
    /// is asked to stop, the last is made then.
    pub(super) fn run_pausing(
        &mut self,
        program: &Program,
        position: Position,
        interrupted: Option<Interrupted>,
    ) -> Result<(Execution, Tally), RunError> {
        let pause = Pause::default();
        let from = interrupted.as_ref().map_or(0, |interrupted| interrupted.batch);
        let mut batch = from;
        let mut read = 0;
        let mut paused = None;
        if let Some(interrupted) = &interrupted {
            let mail = self.mail(&interrupted.checkpoint)?;
            let place = Paused::new(program, batch, mail);
            let place =
                place.map_err(|error| TrainError::Fit(format!("the checkpoint does not fit its program: {error}")))?;
            read = first_to_read(program, place.positions()[0]);
            paused = Some(place);
        }
        let due = Due::default();
        due.set(self.deadline());
        let interrupts = self.interrupts(Some(pause.clone()), &due);
        let waited = self.open(position, position.trained + read, interrupts)?;
        if let Some(interrupted) = interrupted {
            // Making room for the program has dropped what was in flight.
            self.restore(&interrupted.checkpoint)?;
        }
        let result = loop {
            self.pause_after(&pause, program, position, batch);
            let ran = match paused.take() {
                None => engine::start(program, &mut self.stages, &self.engine, &pause),
                Some(paused) => engine::go_on(program, &mut self.stages, paused, &self.engine, &pause),
            };
            match ran {
                Err(error) => break Err(RunError::Engine(error)),
                Ok(Ran::Finished(execution)) => break Ok(execution),
                Ok(Ran::Paused(at)) => {
                    batch = at.batch();
                    let why = self.why(position.done + u64::from(batch));
                    let images = self.images(position.trained + from, position.trained + batch);
                    let place = Place {
                        program,
                        tally: Tally::of_part(&at, images, waited.get()),
                        paused: &at,
                    };
                    if let Err(error) = self.keep_in(why, Some(place)) {
                        break Err(error.into());
                    }
                    if why == Why::Stop {
                        break Err(TrainError::Stopped(format!(" in epoch {}", position.epoch + 1)).into());
                    }
                    pause.clear();
                    due.set(self.deadline());
                    paused = Some(at);
                }
            }
        };
        self.close(position);
        let execution = result?;
        let images = self.images(position.trained + from, position.trained + program.batches);
        let tally = Tally::of(&execution, images, waited.get());
        Ok((execution, tally))
    }

    /// Lets the program be paused where the next checkpoint is due by its number of batches.
    fn pause_after(&self, pause: &Pause, program: &Program, position: Position, batch: u32) {
        let settings = &self.recipe.settings.checkpoint;
        let Some(every) = settings.every_steps.filter(|_| settings.on()) else {
            return;
        };
        let next = ((position.done + u64::from(batch)) / every + 1) * every - position.done;
        // There is no pause at the end of a program: that one comes after it, or with the epoch.
        if let Ok(next) = u32::try_from(next)
            && next <= program.batches
        {
            pause.after(next);
        }
    }

    /// Whether one is due by the number of batches, between two programs of an epoch.
    pub(super) fn due_by_steps(&self) -> bool {
        let settings = &self.recipe.settings.checkpoint;
        let step = self.progress.done + u64::from(self.progress.trained);
        let every = settings.every_steps.filter(|_| settings.on());
        every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// When a checkpoint is due by the time.
    fn deadline(&self) -> Option<Instant> {
        let settings = &self.recipe.settings.checkpoint;
        let minutes = settings.every_minutes.filter(|_| settings.on())?;
        self.progress.kept?.checked_add(Duration::from_secs_f64(60.0 * minutes))
    }

    /// Why a program was paused after so many batches of the run.
    fn why(&self, step: u64) -> Why {
        let every = self.recipe.settings.checkpoint.every_steps;
        if self.recipe.stop.requested() {
            Why::Stop
        } else if every.is_some_and(|every| step.is_multiple_of(every)) {
            Why::Steps
        } else {
            Why::Minutes
        }
    }

    /// Why a checkpoint is due after an epoch, before which the best accuracy was `best`.
    pub(super) fn due_after_epoch(&self, best: Option<f64>) -> Option<Why> {
        let settings = &self.recipe.settings.checkpoint;
        let Progress { epochs, done, last, .. } = &self.progress;
        if !settings.on() {
            return None;
        }
        if *done >= self.length.steps {
            return Some(Why::End);
        }
        let every = settings.every_epochs.is_some_and(|every| epochs.is_multiple_of(every));
        let accuracy = last.as_ref().map(|last| last.test_accuracy);
        let among_best = settings.keep_best > 0 && (settings.keep_best > 1 || accuracy > best);
        let steps = settings.every_steps.is_some_and(|every| done.is_multiple_of(every));
        let minutes = self.deadline().is_some_and(|due| Instant::now() >= due);
        (every || among_best || steps || minutes).then_some(Why::Epoch)
    }

    /// Makes a checkpoint and tells it, unless none are wanted.
    pub(super) fn keep(&mut self, why: Why) -> Result<()> {
        self.keep_in(why, None)
    }

    fn keep_in(&mut self, why: Why, place: Option<Place<'_>>) -> Result<()> {
        if !self.recipe.settings.checkpoint.on() {
            return Ok(());
        }
        let checkpoint = self.checkpoint(why, place)?;
        self.progress.kept = Some(Instant::now());
        self.spine.emit(&Event::Checkpoint(checkpoint))
    }

    fn checkpoint(&self, why: Why, place: Option<Place<'_>>) -> Result<Checkpoint> {
        let Progress {
            epochs,
            done,
            trained,
            last,
            best,
            tally,
            epoch_tally,
            ..
        } = &self.progress;
        let mut tensors = SavedTensors::default();
        let mut modules = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let saved = stage.save().map_err(|error| self.explain_torch(error))?;
            modules.push(saved.facts);
            tensors.extend(saved.tensors);
        }
        let place = place.as_ref();
        let mail = place
            .map(|place| letters(place.paused, &mut tensors.flight))
            .transpose();
        let mail = mail.map_err(|error| self.explain_torch(error))?;
        let batch = place.map_or(0, |place| place.paused.batch());
        let mut epoch_tally = epoch_tally.clone();
        if let Some(place) = place {
            epoch_tally.add(&place.tally);
        }
        let state = CheckpointState {
            predictor: self.predictor.as_ref().map(PredictorIdentity::from),
            position: RunPosition {
                epochs: *epochs,
                step: done + u64::from(*trained) + u64::from(batch),
                trained: *trained,
                program: place.map(|place| InProgram {
                    batches: place.program.batches,
                    batch,
                }),
            },
            results: Results {
                done: *done,
                last: last.clone(),
                best: *best,
                tally: tally.clone(),
                epoch_tally,
                loss_sum: self.spine.loss_sum(),
                told: self.spine.told(),
                seconds: self.progress.seconds(),
            },
            modules,
            mail,
            ..CheckpointState::new(why, self.recipe.settings.clone())
        };
        Ok(Checkpoint::new(state, tensors))
    }
}

/// What lies at the modules, with its tensors put among `tensors`.
fn letters(paused: &Paused<TorchStage>, tensors: &mut Tensors) -> Result<Vec<MailFacts>, TorchError> {
    let mut all = Vec::new();
    for (k, mail) in (1..).zip(paused.mail()) {
        let name = |what: &str, unit: Unit| format!("module.{k}.{what}.{unit}");
        let mut facts = MailFacts::default();
        for (what, from, to) in [
            ("arrived_up", &mail.arrived_up, &mut facts.arrived_up),
            ("ready_up", &mail.ready_up, &mut facts.ready_up),
        ] {
            for (unit, activation) in from {
                to.push((*unit, activation.save(&name(what, *unit), tensors)?));
            }
        }
        for (what, from, to) in [
            ("arrived_down", &mail.arrived_down, &mut facts.arrived_down),
            ("ready_down", &mail.ready_down, &mut facts.ready_down),
        ] {
            for (unit, gradient) in from {
                to.push((*unit, gradient.save(&name(what, *unit), tensors)?));
            }
        }
        all.push(facts);
    }
    Ok(all)
}

/// The batch (from 0, in its program) that module 1 reads next after so many of its actions.
fn first_to_read(program: &Program, position: usize) -> u32 {
    let rest = program.workers[0].iter().skip(position);
    let mut reads = rest.filter(|action| matches!(action.op, Op::Forward | Op::ForwardGraph));
    reads.next().map_or(program.batches, |action| action.unit.batch - 1)
}

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
                let checkpoint = checkpoint.clone();
                interrupted = Some(Interrupted {
                    batches,
                    batch,
                    checkpoint,
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
            resumed: true,
            before: results.seconds,
            interrupted,
            ..Progress::default()
        };
        self.spine.set_loss_sum(results.loss_sum);
        self.spine.set_told(results.told);
    }

    /// Takes up all of a checkpoint of a pipeline like this one.
    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
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
    fn mail(&self, checkpoint: &Checkpoint) -> Result<Vec<Mail<TorchStage>>> {
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
        let rate = |settings: &crate::settings::Settings| {
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
