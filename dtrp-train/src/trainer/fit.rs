//! The loop over the epochs: train, evaluate, tell.

use super::going_on::Interrupted;
use super::{Position, RunError, Trainer};
use crate::error::{Result, TrainError};
use crate::events::Why;
use crate::events::{
    End, Environment, EpochReport, Event, Now, ProgramRun, Snapshot, Started, Summary, Tally, gpus, peak_rss_bytes,
};
use dtrp_core::schedule::Program;
use dtrp_core::torch::{Evaluation, TorchError, TorchStage};
use dtrp_core::trace::Recording;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::Tensor;

/// How far a run has come, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// When the first program began.
    pub(super) start: Option<Instant>,
    /// Whole epochs.
    pub(crate) epochs: u64,
    /// Batches of whole epochs.
    pub(crate) done: u64,
    pub(super) last: Option<EpochReport>,
    pub(super) best: Option<f64>,
    pub(super) tally: Tally,
    /// Batches of the current epoch before the current program.
    pub(super) trained: u32,
    /// Sums over the programs of the current epoch that have run to their end.
    pub(super) epoch_tally: Tally,
    /// The current epoch has begun already: before the checkpoint that was taken up, or before a stop.
    pub(super) begun: bool,
    /// The program in which it was interrupted.
    pub(super) interrupted: Option<Interrupted>,
    /// Seconds of the run before this process.
    pub(super) before: f64,
    /// When the last checkpoint was made, or the run began.
    pub(super) kept: Option<Instant>,
}

impl Progress {
    /// Seconds since the start of training, in this process and before.
    pub(super) fn seconds(&self) -> f64 {
        self.before + self.start.map_or(0.0, |start| start.elapsed().as_secs_f64())
    }
}

impl Trainer {
    /// Trains to the end of the run, or to the first error, and tells everybody. Returns what the last epoch gave.
    ///
    /// After [`TrainError::Stopped`] it may be called again, once the request is [taken back](crate::Stop::take_back): the run
    /// goes on in the middle of its epoch, to the same bits as one that was not stopped. [`Event::Started`] is not told again.
    ///
    /// # Errors
    ///
    /// [`TrainError`] of a worker, of the data, of a subscriber; [`TrainError::Diverged`], [`TrainError::Stopped`].
    /// [`Event::Ended`] comes in either case.
    pub fn fit(&mut self) -> Result<EpochReport> {
        let mut result = self.begin();
        while result.is_ok() && self.progress.done < self.length.steps {
            result = self.epoch().map(drop);
        }
        let ended = self.spine.emit(&Event::Ended(Arc::new(self.summary(&result))));
        result.and(ended)?;
        let last = self.progress.last.clone();
        last.ok_or_else(|| TrainError::Bug("a run without epochs".to_owned()))
    }

    /// Trains and evaluates one more epoch, for loops of one's own. The run may end within it.
    ///
    /// # Errors
    ///
    /// As [`fit`](Self::fit), and [`TrainError::Fit`] where the run is over already.
    pub fn epoch(&mut self) -> Result<EpochReport> {
        self.begin()?;
        let left = self.length.steps.saturating_sub(self.progress.done);
        if left == 0 {
            return Err(TrainError::Fit("the run is over: all its steps are trained".to_owned()));
        }
        let batches = self.length.batches_per_epoch.min(clamp(left));
        let best = self.progress.best;
        let result = self.train_epoch(batches);
        self.spine.now(None);
        let (report, snapshot) = result?;
        self.spine.emit(&Event::Epoch(Arc::new(report.clone())))?;
        self.spine.emit(&Event::Weights(snapshot))?;
        if let Some(why) = self.due_after_epoch(best) {
            self.keep(why)?;
        }
        Ok(report)
    }

    /// What has come of the run so far; `result` says how it ended.
    pub fn summary<T>(&self, result: &Result<T>) -> Summary {
        let settings = &self.recipe.settings;
        let Progress {
            start,
            epochs,
            done,
            last,
            best,
            tally,
            ..
        } = &self.progress;
        let end = match result {
            Ok(_) => End::Finished,
            Err(TrainError::Stopped(_)) => End::Interrupted,
            Err(TrainError::Diverged(_)) => End::Diverged,
            Err(_) => End::Failed,
        };
        let (method, order) = self.programs.names();
        let predictor = self.predictor.as_ref();
        Summary {
            dtrp_version: env!("CARGO_PKG_VERSION").to_owned(),
            end,
            interrupted: end == End::Interrupted,
            name: None,
            data: settings.data.name.clone(),
            model: settings.model.name.clone(),
            method,
            order,
            predictor: predictor.map(|of| of.name.clone()),
            predictor_version: predictor.map(|of| of.version.clone()),
            plugin: predictor.and_then(|of| of.plugin.clone()).map(Into::into),
            seed: settings.run.seed,
            batch_size: settings.data.batch_size,
            lr: settings.optimizer.lr,
            modules: self.ranges.len(),
            parameters: self.parameters().iter().sum(),
            epochs: *epochs,
            steps: *done,
            final_test_accuracy: last.as_ref().map(|last| last.test_accuracy),
            best_test_accuracy: *best,
            final_train_loss: last.as_ref().map(|last| last.train_loss),
            images_per_second: tally.images_per_second(),
            wall_seconds: self.progress.seconds(),
            train_seconds: tally.wall.as_secs_f64(),
            peak_rss_bytes: peak_rss_bytes(),
            loader_wait_share: tally.wait_share(),
            batch_compensation: self.compensation.clone().map(|done| done.after(tally)),
            workers: tally.workers(&self.stages),
            gpus: gpus(&self.stages),
            environment: Some(Environment::now(start.map_or(Duration::ZERO, |start| start.elapsed()))),
        }
    }

    /// Tells that training begins, once.
    fn begin(&mut self) -> Result<()> {
        if self.progress.start.is_some() {
            return Ok(());
        }
        self.progress.start = Some(Instant::now());
        let length = self.length;
        let started = Started {
            settings: self.recipe.settings.clone(),
            program: self.program(length.batches_per_epoch.min(clamp(length.steps)))?,
            steps: length.steps,
            batches_per_epoch: length.batches_per_epoch,
            parameters: self.parameters().to_vec(),
            predictor: self.predictor.clone(),
        };
        self.spine.emit(&Event::Started(Arc::new(started)))?;
        self.progress.kept = Some(Instant::now());
        if self.progress.begun && (self.progress.trained > 0 || self.progress.interrupted.is_some()) {
            // They are those of no whole epoch.
            return Ok(());
        }
        let snapshot = self.snapshot()?;
        self.spine.emit(&Event::Weights(snapshot))
    }

    fn train_epoch(&mut self, batches: u32) -> Result<(EpochReport, Snapshot)> {
        if !std::mem::take(&mut self.progress.begun) {
            (self.progress.trained, self.progress.epoch_tally) = (0, Tally::default());
            self.spine.set_loss_sum(0.0);
        }
        while self.progress.trained < batches {
            let interrupted = self.progress.interrupted.take();
            let length = interrupted.as_ref().map(|interrupted| interrupted.batches);
            let length = length.unwrap_or_else(|| self.program_batches().min(batches - self.progress.trained));
            let program = self.program(length)?;
            self.train_program(program, interrupted)?;
            if self.progress.trained < batches && self.due_by_steps() {
                self.keep(Why::Steps)?;
            }
        }
        let epoch = self.progress.epochs + 1;
        let evaluation = self.run_evaluation();
        let evaluation = evaluation.map_err(|error| self.explain_in_epoch(error, 0));
        if let Err(TrainError::Stopped(_)) = &evaluation {
            self.progress.begun = true;
            self.keep(Why::Stop)?;
        }
        let evaluation = evaluation?;
        if !evaluation.loss.is_finite() {
            return Err(self.not_finite(epoch, evaluation.loss));
        }
        let report = self.note(batches, &evaluation);
        self.spine.emit(&Event::Evaluated(report.step, evaluation))?;
        Ok((report, self.snapshot()?))
    }

    /// Runs one program of an epoch, or the rest of one that was interrupted.
    fn train_program(&mut self, program: Program, interrupted: Option<Interrupted>) -> Result<()> {
        let Progress {
            epochs, done, trained, ..
        } = self.progress;
        let position = Position {
            epoch: epochs,
            trained,
            done: done + u64::from(trained),
        };
        self.spine.now(Some(Now {
            start: Instant::now(),
            before: self.progress.seconds(),
            epoch: epochs + 1,
            done: position.done,
            trained,
            sizes: self.loaders.sizes(),
        }));
        let result = self.run_pausing(&program, position, interrupted);
        // Why a run was halted is what its subscriber says.
        self.spine.failed()?;
        let (execution, tally) = result.map_err(|error| self.explain_in_epoch(error, position.done))?;
        self.progress.trained += program.batches;
        self.progress.epoch_tally.add(&tally);
        let run = ProgramRun {
            done: position.done,
            program,
            trace: execution.trace,
        };
        self.spine.emit(&Event::Program(Arc::new(run)))?;
        // One program shows it all; the times of every action of a long run would fill the memory.
        self.record(Recording::Logical);
        Ok(())
    }

    /// Takes note of what an epoch gave.
    fn note(&mut self, batches: u32, evaluation: &Evaluation) -> EpochReport {
        let progress = &mut self.progress;
        let tally = std::mem::take(&mut progress.epoch_tally);
        progress.trained = 0;
        progress.tally.add(&tally);
        progress.epochs += 1;
        progress.done += u64::from(batches);
        progress.best = Some(progress.best.unwrap_or(0.0).max(evaluation.accuracy));
        let report = EpochReport {
            epoch: progress.epochs,
            step: progress.done,
            train_loss: self.spine.take_loss_sum() / tally.images.max(1) as f64,
            test_loss: evaluation.loss,
            test_accuracy: evaluation.accuracy,
            images_per_second: tally.images_per_second().unwrap_or(0.0),
            peak_rss_bytes: peak_rss_bytes(),
            seconds: progress.seconds(),
            workers: tally.reports(&self.stages),
        };
        progress.last = Some(report.clone());
        report
    }

    /// Why the loss on the test set is no number.
    fn not_finite(&self, epoch: u64, loss: f64) -> TrainError {
        let told = format!("after epoch {epoch} the loss on the test set is {loss}");
        match self.stages.iter().find_map(of_statistics) {
            Some(name) => TrainError::Fit(format!(
                "{told}, because the running statistic `{name}` is NaN, while the weights are finite: batch norm over a single value \
                 for each channel, as in a last batch of one sample or in micro-batches of one, makes it so; set \
                 data.drop_last: true, or another data.batch_size or method.micro_batches"
            )),
            None => TrainError::Diverged(told),
        }
    }

    /// What a failure in the current epoch means; `done` batches came before the program.
    fn explain_in_epoch(&self, error: RunError, done: u64) -> TrainError {
        let epoch = self.progress.epochs + 1;
        if let RunError::Engine(error) = &error
            && let (Some(TorchError::Diverged { unit, loss }), Some(worker)) = (error.stage_error(), error.worker())
        {
            let step = done + u64::from(unit.batch);
            return TrainError::Diverged(format!(
                "the loss is {loss} at epoch {epoch}, step {step} (worker {worker})"
            ));
        }
        self.explain(error, &format!(" in epoch {epoch}"))
    }
}

/// Why the loss on the test set may be no number although training went well.
fn of_statistics(stage: &TorchStage) -> Option<String> {
    let wrong = stage.not_finite().ok()?;
    let is = |name: &str| wrong.iter().any(|wrong| wrong == name);
    let params_are_finite = !stage.module().params().any(|spec| is(&spec.name));
    // Weights that have grown too large make mean and variance infinite together; where only one of them is no number, it has
    // had nothing to be computed from.
    let buffers: Vec<_> = stage.module().buffers().collect();
    let some_are_finite = buffers.iter().any(|(spec, _)| !is(&spec.name));
    let mut lost = buffers.iter().filter(|(spec, _)| is(&spec.name));
    let all_nan = lost.clone().all(|(_, tensor)| has_nan(tensor));
    let (spec, _) = lost
        .next()
        .filter(|_| params_are_finite && some_are_finite && all_nan)?;
    Some(spec.name.clone())
}

fn has_nan(tensor: &Tensor) -> bool {
    let nan = tch::no_grad(|| tensor.f_isnan()?.f_any()?.f_int64_value(&[]));
    nan.is_ok_and(|nan| nan != 0)
}

/// As many batches as a program can have.
fn clamp(steps: u64) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}
