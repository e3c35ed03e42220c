//! How long a run is.

use super::programs::Programs;
use crate::error::{Result, TrainError};
use crate::settings::RunSettings;
use dtrp_core::schedule::Op;

/// How long a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Batches of a whole epoch.
    pub batches_per_epoch: u32,
    /// Batches of the whole run.
    pub steps: u64,
    /// Updates of a module in a whole epoch.
    pub updates_per_epoch: u64,
    /// Updates of a module in the whole run.
    pub updates: u64,
}

impl Length {
    pub(crate) fn of(run: &RunSettings, programs: &Programs) -> Result<Self> {
        let (plan, fixed) = (&programs.plan, programs.fixed.as_ref());
        // A program that was given is run as often as it fits into an epoch; the batches that are left over are not used.
        let batches_per_epoch = match fixed {
            Some(program) => plan.batches / program.batches * program.batches,
            None => plan.batches,
        };
        let updates = |batches: u32| -> Result<u64> {
            let times = fixed.map_or(1, |program| batches / program.batches);
            let program = programs.of(batches)?;
            Ok(program.count(plan.modules, Op::Update) as u64 * u64::from(times))
        };
        let batches = u64::from(batches_per_epoch);
        let all = run.epochs.saturating_mul(batches);
        let unit = fixed.map_or(1, |program| u64::from(program.batches));
        let steps = run.max_steps.map_or(all, |most| all.min(most)) / unit * unit;
        if steps == 0 {
            let (file, own) = (unit, run.max_steps.unwrap_or(plan.batches.into()));
            return Err(TrainError::Fit(format!(
                "method.program has {file} batches, but the run only {own}: take more data, or a shorter program"
            )));
        }
        let updates_per_epoch = updates(batches_per_epoch)?;
        let rest = match (steps % batches) as u32 {
            0 => 0,
            rest => updates(rest)?,
        };
        Ok(Self {
            batches_per_epoch,
            steps,
            updates_per_epoch,
            updates: steps / batches * updates_per_epoch + rest,
        })
    }

    /// The updates of a module in so many epochs, to the nearest.
    pub(crate) fn updates_in(&self, epochs: f64) -> u64 {
        (epochs * self.updates_per_epoch as f64).round() as u64
    }

    /// Epochs, with a fraction where the run ends within one.
    pub fn epochs(&self) -> f64 {
        self.steps as f64 / f64::from(self.batches_per_epoch)
    }
}
