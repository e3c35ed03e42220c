//! Checkpoints: when one is due, and what it is made of; programs that pause for them, and go on.

use super::fit::Progress;
use super::{Position, RunError, Trainer};
use crate::data::Due;
use crate::error::{Result, TrainError};
use crate::events::{Checkpoint, CheckpointState, InProgram, MailFacts, PredictorIdentity, Results, RunPosition, Why};
use crate::events::{Event, Tally};
use dtrp_core::engine::{self, Execution, Pause, Paused, Ran};
use dtrp_core::schedule::{Op, Program, Unit};
use dtrp_core::torch::{SavedTensors, Tensors, TorchError, TorchStage};
use std::time::{Duration, Instant};

/// A program of the current epoch that was interrupted.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Its length in batches.
    pub(super) batches: u32,
    /// What it goes on from.
    pub(super) from: From,
}

/// What an interrupted program goes on from.
#[derive(Debug)]
pub(super) enum From {
    /// A checkpoint, after so many batches of the program.
    Checkpoint(u32, Checkpoint),
    /// This trainer, whose stages hold what is in flight, boxed for its size.
    Here(Box<Here>),
}

/// A program that was stopped in this trainer.
#[derive(Debug)]
pub(super) struct Here {
    paused: Paused<TorchStage>,
    /// Batches of it that ran before this process.
    before: u32,
    /// How long module 1 has waited for data.
    waited: Duration,
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
        let due = Due::default();
        due.set(self.deadline());
        let interrupts = self.interrupts(Some(pause.clone()), &due);
        let (mut before, mut waited_before) = (0, Duration::ZERO);
        let (waited, mut paused) = match interrupted.map(|interrupted| interrupted.from) {
            None => (self.open(position, position.trained, interrupts)?, None),
            Some(From::Checkpoint(batch, checkpoint)) => {
                before = batch;
                let paused = Paused::new(program, batch, self.mail(&checkpoint)?);
                let paused = paused
                    .map_err(|error| TrainError::Fit(format!("the checkpoint does not fit its program: {error}")))?;
                let read = first_to_read(program, &paused);
                let waited = self.open(position, position.trained + read, interrupts)?;
                // Making room for the program has dropped what was in flight.
                self.restore(&checkpoint)?;
                (waited, Some(paused))
            }
            Some(From::Here(here)) => {
                (before, waited_before) = (here.before, here.waited);
                let read = first_to_read(program, &here.paused);
                let waited = self.open_again(position, position.trained + read, interrupts)?;
                (waited, Some(here.paused))
            }
        };
        let waited = move || waited_before + waited.get();
        let mut batch = paused.as_ref().map_or(0, Paused::batch);
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
                    let images = self.images(position.trained + before, position.trained + batch);
                    let place = Place {
                        program,
                        tally: Tally::of_part(&at, images, waited()),
                        paused: &at,
                    };
                    if let Err(error) = self.keep_in(why, Some(place)) {
                        break Err(error.into());
                    }
                    if why == Why::Stop {
                        self.stopped_in(program, at, before, waited());
                        break Err(TrainError::Stopped(format!(" in epoch {}", position.epoch + 1)).into());
                    }
                    pause.clear();
                    due.set(self.deadline());
                    paused = Some(at);
                }
            }
        };
        if self.progress.interrupted.is_some() {
            self.close_for_now();
        } else {
            self.close(position);
        }
        let execution = result?;
        let images = self.images(position.trained + before, position.trained + program.batches);
        let tally = Tally::of(&execution, images, waited());
        Ok((execution, tally))
    }

    /// Takes note of where a program was stopped, so that this trainer can go on with it.
    fn stopped_in(&mut self, program: &Program, paused: Paused<TorchStage>, before: u32, waited: Duration) {
        self.progress.begun = true;
        self.progress.interrupted = Some(Interrupted {
            batches: program.batches,
            from: From::Here(Box::new(Here { paused, before, waited })),
        });
    }

    /// Gives up what the stages hold of a program that was stopped: something else is trained on them.
    pub(super) fn forget_stopped(&mut self) {
        let here = |interrupted: &mut Interrupted| matches!(interrupted.from, From::Here(_));
        if self.progress.interrupted.take_if(here).is_some() {
            self.progress.begun = false;
        }
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

/// The batch (from 0, in its program) that module 1 reads next.
fn first_to_read(program: &Program, paused: &Paused<TorchStage>) -> u32 {
    let rest = program.workers[0].iter().skip(paused.positions()[0]);
    let mut reads = rest.filter(|action| matches!(action.op, Op::Forward | Op::ForwardGraph));
    reads.next().map_or(program.batches, |action| action.unit.batch - 1)
}
