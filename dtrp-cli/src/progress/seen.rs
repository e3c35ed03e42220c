//! What is to be shown of a run, gathered from its events.

use dtrp_train::{EpochReport, Started, StepReport, WorkerReport};
use std::time::{Duration, Instant};

/// The state of a run. What is not known yet is `None`.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Steps of the whole run.
    pub(super) steps: u64,
    /// Epochs of the whole run.
    pub(super) epochs: u64,
    pub(super) step: u64,
    pub(super) epoch: u64,
    pub(super) loss: Option<f64>,
    /// On the test set, after the last whole epoch.
    pub(super) accuracy: Option<f64>,
    /// In this epoch; at its beginning of the last one.
    pub(super) images_per_second: Option<f64>,
    /// Since the first step.
    pub(super) passed: Option<Duration>,
    pub(super) left: Option<Duration>,
    /// In the last whole epoch, a place for each worker.
    pub(super) workers: Vec<Option<WorkerReport>>,
    batch_size: usize,
    /// The first step that was seen, and when.
    first: Option<(u64, Instant)>,
    /// The epoch's first step that was seen, and its time.
    epoch_first: Option<(u64, f64)>,
}

impl Seen {
    /// Nothing of a run of `steps` steps.
    pub(super) fn new(steps: u64) -> Self {
        Self {
            steps,
            ..Self::default()
        }
    }

    pub(super) fn started(&mut self, started: &Started) {
        self.steps = started.steps;
        self.epochs = started.steps.div_ceil(started.batches_per_epoch.max(1).into());
        self.batch_size = started.settings.data.batch_size;
        self.workers = vec![None; started.program.modules()];
    }

    /// A step is done, `now`.
    pub(super) fn step(&mut self, report: &StepReport, now: Instant) {
        if self.epoch != report.epoch {
            self.epoch_first = Some((report.step, report.seconds));
        }
        (self.step, self.epoch, self.loss) = (report.step, report.epoch, Some(report.loss));
        if let Some((step, seconds)) = self.epoch_first
            && report.step > step
            && report.seconds > seconds
        {
            let images = (report.step - step) as f64 * self.batch_size as f64;
            self.images_per_second = Some(images / (report.seconds - seconds));
        }
        let (step, start) = *self.first.get_or_insert((report.step, now));
        let passed = now.saturating_duration_since(start);
        self.passed = Some(passed);
        let done = report.step.saturating_sub(step);
        if done > 0 {
            // The mean over all, evaluation included.
            let each = passed.as_secs_f64() / done as f64;
            let left = self.steps.saturating_sub(report.step) as f64 * each;
            self.left = Duration::try_from_secs_f64(left).ok();
        }
    }

    pub(super) fn epoch(&mut self, report: &EpochReport) {
        self.accuracy = Some(report.test_accuracy);
        self.images_per_second = Some(report.images_per_second);
        self.workers = report.workers.iter().copied().map(Some).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_epoch_and_time_left_of_the_run() {
        let mut seen = Seen {
            batch_size: 10,
            ..Seen::new(100)
        };
        let start = Instant::now();
        let mut step = |step: u64, epoch: u64, seconds: f64| {
            let report = StepReport {
                step,
                epoch,
                loss: 1.0,
                lr: 0.1,
                seconds,
            };
            seen.step(&report, start + Duration::from_secs_f64(seconds));
            (seen.images_per_second, seen.left.map(|left| left.as_secs()))
        };
        // As a run that is gone on with at step 51.
        assert_eq!(step(51, 3, 1.0), (None, None));
        assert_eq!(step(52, 3, 2.0), (Some(10.0), Some(48)));
        // Evaluation in between counts for the time left.
        assert_eq!(step(53, 4, 9.0), (Some(10.0), Some(188)));
        assert_eq!(step(54, 4, 9.5), (Some(20.0), Some(130)));
    }
}
