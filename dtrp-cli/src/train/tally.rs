//! What a run's epochs add up to.

use super::trainer::Trainer;
use crate::run::{WorkerLine, WorkerSummary};
use dtrp_core::engine::Outcome;
use std::time::Duration;

/// Sums over the programs that have run to their end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Training images.
    pub(crate) images: u64,
    /// Training time.
    pub(crate) wall: Duration,
    /// Time that worker 1 waited for data.
    pub(crate) waited: Duration,
    busy: Vec<Duration>,
    staleness: Vec<u32>,
}

impl Tally {
    /// Of one program.
    pub(crate) fn of(outcome: &Outcome, images: u64, waited: Duration) -> Self {
        let workers = &outcome.report.workers;
        let mut busy: Vec<Duration> = (1..=workers.len()).map(|k| outcome.trace.busy(k)).collect();
        // Reading its input is an action of worker 1, but waiting for the loader is no work.
        if let Some(first) = busy.first_mut() {
            *first = first.saturating_sub(waited);
        }
        Self {
            images,
            wall: outcome.trace.wall(),
            waited,
            busy,
            staleness: workers.iter().map(|w| w.max_staleness()).collect(),
        }
    }

    /// Adds another program's.
    pub(crate) fn add(&mut self, other: &Tally) {
        self.images += other.images;
        self.wall += other.wall;
        self.waited += other.waited;
        self.busy.resize(other.busy.len(), Duration::ZERO);
        self.staleness.resize(other.staleness.len(), 0);
        for (sum, busy) in self.busy.iter_mut().zip(&other.busy) {
            *sum += *busy;
        }
        for (most, staleness) in self.staleness.iter_mut().zip(&other.staleness) {
            *most = (*most).max(*staleness);
        }
    }

    /// Training images by training time.
    pub(crate) fn images_per_second(&self) -> Option<f64> {
        (!self.wall.is_zero()).then(|| self.images as f64 / self.wall.as_secs_f64())
    }

    /// Share of the training time that worker 1 waited for data.
    pub(crate) fn wait_share(&self) -> Option<f64> {
        self.share(self.waited)
    }

    /// Share of the training time that each worker computed.
    pub(crate) fn busy_shares(&self) -> Vec<Option<f64>> {
        self.busy.iter().map(|busy| self.share(*busy)).collect()
    }

    fn share(&self, part: Duration) -> Option<f64> {
        (!self.wall.is_zero()).then(|| part.as_secs_f64() / self.wall.as_secs_f64())
    }

    /// For `metrics.jsonl`.
    pub(crate) fn lines(&self, trainer: &Trainer) -> Vec<WorkerLine> {
        let shares = self.busy_shares().into_iter().zip(trainer.stages());
        let line = |(share, stage): (Option<f64>, &dtrp_core::torch::TorchStage)| WorkerLine {
            busy_share: share.unwrap_or(0.0),
            prediction_gain: finite(stage.metrics().gain.map(|gain| gain.error)),
        };
        shares.map(line).collect()
    }

    /// For `summary.json`.
    pub(crate) fn workers(&self, trainer: &Trainer) -> Vec<WorkerSummary> {
        let shares = self.busy_shares();
        let stages = trainer
            .stages()
            .iter()
            .zip(trainer.parameters())
            .enumerate();
        let worker =
            |(index, (stage, parameters)): (usize, (&dtrp_core::torch::TorchStage, &usize))| {
                let metrics = stage.metrics();
                WorkerSummary {
                    busy_share: shares.get(index).copied().flatten(),
                    stored_input_peak_bytes: metrics.stored_input_peak_bytes,
                    staleness_max: self.staleness.get(index).copied().unwrap_or(0),
                    prediction_gain: finite(metrics.gain.map(|gain| gain.error)),
                    prediction_cosine: finite(metrics.gain.map(|gain| gain.cosine)),
                    prediction_seconds: metrics.predicting.map(|time| time.as_secs_f64()),
                    updates: metrics.updates,
                    parameters: *parameters,
                    blocks: stage.module().block_names().map(str::to_owned).collect(),
                }
            };
        stages.map(worker).collect()
    }
}

/// A number that was measured: not that of a diverged run, nor a mean over nothing.
fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}
