//! The loop over the epochs: train, evaluate, note.
//!
//! After every epoch the weights are written, so that whatever happens later, those of the last whole epoch are kept.

use super::compensation::Compensation;
use super::data::{BatchSizes, Data};
use super::plan::first_slots;
use super::stop::Stop;
use super::tally::{Tally, gpus};
use super::trainer::{EngineOrError, Trainer};
use crate::config::Config;
use crate::error::Error;
use crate::progress::Progress;
use crate::report;
use crate::run::{End, EpochLine, Folder, Metrics, StepLine, Summary, peak_rss_bytes};
use dtrp_core::engine::EngineError;
use dtrp_core::schedule::Program;
use dtrp_core::torch::{Evaluation, LossEvent, TorchError};
use dtrp_core::trace::Recording;
use dtrp_models::weights;
use dtrp_predictors::Provenance;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tch::Tensor;

/// The file of the weights.
const WEIGHTS: &str = "weights.safetensors";

/// Trains to the end, or to the first error. The folder has a summary and weights in either case.
pub(crate) fn train(
    config: &Config,
    data: &Data,
    trainer: &mut Trainer,
    folder: &Folder,
    compensation: Option<Compensation>,
    stop: &Stop,
) -> Result<(Summary, Result<(), Error>), Error> {
    let length = trainer.length();
    let predictor = trainer.predictor(config)?;
    let watch = Watch {
        metrics: Metrics::create(folder)?,
        progress: Progress::new(config.run.progress, length.steps),
        start: Instant::now(),
        log_every: config.run.log_every,
        sizes: data.sizes(),
        epoch: 0,
        done: 0,
        loss_sum: 0.0,
        failure: None,
    };
    let watch = Arc::new(Mutex::new(watch));
    let observer = Arc::clone(&watch);
    trainer.on_loss(move |event| lock(&observer).loss(event));
    let mut run = Run {
        config,
        data,
        predictor,
        folder,
        compensation,
        stop,
        watch: Arc::clone(&watch),
        tally: Tally::default(),
        done: 0,
        epochs: 0,
        last: None,
        best: None,
        good: trainer.state()?,
    };
    let first = trainer.program(length.batches_per_epoch.min(clamp(length.steps)))?;
    folder.write("schedule.txt", &first_slots(&first))?;
    let mut result = Ok(());
    while run.done < length.steps && result.is_ok() {
        let batches = length.batches_per_epoch.min(clamp(length.steps - run.done));
        result = run.epoch(trainer, batches);
    }
    lock(&watch).progress.finish();
    let end = match &result {
        Ok(()) => End::Finished,
        Err(Error::Interrupted(_)) => End::Interrupted,
        Err(Error::Diverged(_)) => End::Diverged,
        Err(_) => End::Failed,
    };
    run.save()?;
    let summary = run.summary(trainer, end);
    let text = serde_json::to_string_pretty(&summary).map_err(|e| Error::Bug(e.to_string()))?;
    folder.write("summary.json", &(text + "\n"))?;
    Ok((summary, result.map_err(|error| run.with_advice(error))))
}

/// As many batches as a program can have.
fn clamp(steps: u64) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

fn lock(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What follows a run while it goes on. The worker that computes the loss tells it every batch.
struct Watch {
    metrics: Metrics,
    progress: Progress,
    start: Instant,
    log_every: u64,
    sizes: BatchSizes,
    /// The epoch that is being trained, from 1.
    epoch: u64,
    /// Batches of the epochs before it.
    done: u64,
    /// Sum of this epoch's losses over its samples.
    loss_sum: f64,
    failure: Option<Error>,
}

impl Watch {
    fn loss(&mut self, event: LossEvent) {
        let step = self.done + u64::from(event.batch);
        self.loss_sum += event.loss * self.sizes.of(event.batch as usize) as f64;
        self.progress.step(self.epoch, step, event.loss);
        if step != 1 && !step.is_multiple_of(self.log_every) {
            return;
        }
        let line = StepLine {
            step,
            epoch: self.epoch,
            loss: event.loss,
            lr: event.rate,
            seconds: self.start.elapsed().as_secs_f64(),
        };
        if let Err(error) = self.metrics.step(&line) {
            self.failure.get_or_insert(error);
        }
    }
}

struct Run<'a> {
    config: &'a Config,
    data: &'a Data,
    /// Where the predictor comes from, if any module predicts.
    predictor: Option<Provenance>,
    folder: &'a Folder,
    compensation: Option<Compensation>,
    stop: &'a Stop,
    watch: Arc<Mutex<Watch>>,
    tally: Tally,
    /// Batches of whole epochs.
    done: u64,
    /// Whole epochs.
    epochs: u64,
    /// The line of the last whole epoch.
    last: Option<EpochLine>,
    best: Option<f64>,
    /// The weights after the last whole epoch.
    good: Vec<(String, Tensor)>,
}

impl Run<'_> {
    /// Trains and evaluates one epoch.
    fn epoch(&mut self, trainer: &mut Trainer, batches: u32) -> Result<(), Error> {
        let epoch = self.epochs + 1;
        lock(&self.watch).loss_sum = 0.0;
        let mut tally = Tally::default();
        let mut trained = 0;
        while trained < batches {
            let program = trainer.program(trainer.program_batches().min(batches - trained))?;
            tally.add(&self.program(trainer, &program, epoch, trained)?);
            trained += program.batches;
        }
        let evaluation = match trainer.evaluate(self.data, self.stop) {
            Ok(evaluation) => evaluation,
            Err(EngineOrError::Engine(error)) => return Err(self.explain(trainer, error, epoch)),
            Err(EngineOrError::Other(error)) => return Err(error),
        };
        if !evaluation.loss.is_finite() {
            let loss = evaluation.loss;
            return Err(Error::Diverged(format!(
                "training has diverged: after epoch {epoch} the loss on the test set is {loss}"
            )));
        }
        self.note(trainer, batches, &tally, &evaluation)?;
        self.good = trainer.state()?;
        self.save()
    }

    /// Runs one program of an epoch, after `trained` batches of it.
    fn program(&mut self, trainer: &mut Trainer, program: &Program, epoch: u64, trained: u32) -> Result<Tally, Error> {
        let done = self.done + u64::from(trained);
        {
            let mut watch = lock(&self.watch);
            (watch.epoch, watch.done) = (epoch, done);
        }
        let source = trainer.source(self.data, self.epochs, trained, self.stop)?;
        let waited = source.waited();
        let outcome = match trainer.run(program, done, source) {
            Ok(outcome) => outcome,
            Err(error) => return Err(self.explain(trainer, error, epoch)),
        };
        if done == 0 {
            let executed = outcome.trace.to_program(program);
            self.folder.write("trace.txt", &first_slots(&executed))?;
            if let Some(timeline) = outcome.trace.timeline(program) {
                self.folder.write("trace.json", &timeline.to_chrome())?;
                self.folder.write("trace.svg", &timeline.to_svg())?;
            }
            // One program shows it all; the times of every action of a long run would fill the memory.
            trainer.record(Recording::Logical);
        }
        let sizes = self.data.sizes();
        let images = sizes.up_to((trained + program.batches) as usize) - sizes.up_to(trained as usize);
        Ok(Tally::of(&outcome, images as u64, waited.get()))
    }

    /// Writes and shows what an epoch gave.
    fn note(&mut self, trainer: &Trainer, batches: u32, tally: &Tally, evaluation: &Evaluation) -> Result<(), Error> {
        self.tally.add(tally);
        self.epochs += 1;
        self.done += u64::from(batches);
        self.best = Some(self.best.unwrap_or(0.0).max(evaluation.accuracy));
        let mut watch = lock(&self.watch);
        let line = EpochLine {
            epoch: self.epochs,
            step: self.done,
            train_loss: watch.loss_sum / tally.images.max(1) as f64,
            test_loss: evaluation.loss,
            test_accuracy: evaluation.accuracy,
            images_per_second: tally.images_per_second().unwrap_or(0.0),
            seconds: watch.start.elapsed().as_secs_f64(),
            workers: tally.lines(trainer),
        };
        watch.metrics.epoch(&line)?;
        watch.progress.epoch(&told(&line));
        self.last = Some(line);
        match watch.failure.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Writes the weights of the last whole epoch.
    fn save(&self) -> Result<(), Error> {
        let batches = self.done * u64::from(self.config.method.micro_batches);
        weights::save(&self.folder.path().join(WEIGHTS), &self.good, batches).map_err(Error::Weights)
    }

    /// What the failure of a program in this epoch means.
    fn explain(&self, trainer: &Trainer, error: EngineError<TorchError>, epoch: u64) -> Error {
        match (error.stage_error(), &error) {
            (Some(TorchError::Data(message)), _) if self.stop.requested() && message == Stop::MESSAGE => {
                Error::Interrupted(format!(" in epoch {epoch}"))
            }
            (Some(TorchError::Diverged { unit, loss }), EngineError::Worker { worker, .. }) => {
                let step = lock(&self.watch).done + u64::from(unit.batch);
                Error::Diverged(format!(
                    "training has diverged: the loss is {loss} at epoch {epoch}, step {step} (worker {worker})"
                ))
            }
            _ => trainer.explain_run(error),
        }
    }

    /// Adds what was kept, and what may help.
    fn with_advice(&self, error: Error) -> Error {
        let weights = self.folder.path().join(WEIGHTS);
        let weights = weights.display();
        let kept = match self.epochs {
            0 => format!("{weights} holds the weights from before the first epoch"),
            epochs => format!("{weights} holds the weights after epoch {epochs}"),
        };
        match error {
            Error::Interrupted(place) => Error::Interrupted(format!("{place}; {kept}")),
            Error::Diverged(what) => Error::Diverged(format!(
                "{what}\n{kept}; a smaller optimizer.lr, or a longer optimizer.schedule.warmup_epochs, may help"
            )),
            other => {
                tracing::info!("{kept}");
                other
            }
        }
    }

    fn compensation(&self) -> Option<Compensation> {
        let shares = self.tally.busy_shares().into_iter();
        let shares: Option<Vec<f64>> = shares.collect();
        let shares = shares.filter(|shares| !shares.is_empty());
        self.compensation.clone().map(|before| Compensation {
            utilisation_after: shares.map(|s| s.iter().sum::<f64>() / s.len() as f64),
            ..before
        })
    }

    fn summary(&self, trainer: &Trainer, end: End) -> Summary {
        let Config {
            data, model, method, ..
        } = self.config;
        let watch = lock(&self.watch);
        let workers = self.tally.workers(trainer);
        let predictor = self.predictor.clone();
        let last = self.last.as_ref();
        Summary {
            dtrp_version: env!("CARGO_PKG_VERSION"),
            end,
            interrupted: end == End::Interrupted,
            data: data.name.clone(),
            model: model.name.clone(),
            method: method.name.clone(),
            order: method.order.clone().unwrap_or_default(),
            predictor: predictor.as_ref().map(|of| of.name.clone()),
            predictor_version: predictor.as_ref().map(|of| of.version.clone()),
            plugin: predictor.and_then(|of| of.plugin).map(Into::into),
            modules: method.modules,
            parameters: trainer.parameters().iter().sum(),
            epochs: self.epochs,
            steps: self.done,
            final_test_accuracy: last.map(|line| line.test_accuracy),
            best_test_accuracy: self.best,
            final_train_loss: last.map(|line| line.train_loss),
            images_per_second: self.tally.images_per_second(),
            wall_seconds: watch.start.elapsed().as_secs_f64(),
            train_seconds: self.tally.wall.as_secs_f64(),
            peak_rss_bytes: peak_rss_bytes(),
            loader_wait_share: self.tally.wait_share(),
            batch_compensation: self.compensation(),
            workers,
            gpus: gpus(trainer.stages()),
        }
    }
}

/// An epoch in a line.
fn told(line: &EpochLine) -> String {
    let shares = line.workers.iter();
    let busy: Vec<_> = shares.map(|w| report::percent(Some(w.busy_share), 0)).collect();
    format!(
        "epoch {:>3}  step {:>6}  train loss {:.4}  test accuracy {:>7}  {:>7} images/s  busy {}",
        line.epoch,
        line.step,
        line.train_loss,
        report::percent(Some(line.test_accuracy), 2),
        report::rate(line.images_per_second),
        busy.join(", "),
    )
}
