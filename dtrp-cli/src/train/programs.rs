//! The programs of a run: the method's own, for any number of batches, or one from a file.

use super::data::Data;
use crate::commands::schedule;
use crate::config::Config;
use crate::error::Error;
use dtrp_core::analysis;
use dtrp_core::schedule::{Method, Plan, Program};
use std::num::NonZeroUsize;
use std::path::Path;

/// What programs are laid out from.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) method: &'static Method,
    /// For a whole epoch.
    pub(super) plan: Plan,
    /// From a file, run over and over instead of the method's own.
    pub(super) fixed: Option<Program>,
}

impl Programs {
    /// As configured, for epochs over this data.
    pub(super) fn new(config: &Config, data: &Data) -> Result<Self, Error> {
        let section = &config.method;
        let method = Method::named(&section.name)?;
        let order = section.order.as_deref().map(str::parse).transpose();
        let plan = Plan {
            modules: section.modules,
            batches: data.train.batches_per_epoch() as u32,
            order: order.map_err(|error| Error::Fit(format!("method.order: {error}")))?,
            micro_batches: section.micro_batches,
            accumulate: section.accumulate,
        };
        let fixed = section
            .program
            .as_deref()
            .map(|path| from_file(path, &plan))
            .transpose()?;
        Ok(Self { method, plan, fixed })
    }

    /// The method's program for so many batches; of a program from a file there is only the one length.
    pub(super) fn of(&self, batches: u32) -> Result<Program, Error> {
        match &self.fixed {
            Some(program) => Ok(program.clone()),
            None => Ok(self.method.program(&Plan {
                batches,
                ..self.plan.clone()
            })?),
        }
    }

    /// A program long enough to show the steady state.
    pub(super) fn steady(&self) -> Result<Program, Error> {
        let fill = u32::try_from(8 * self.plan.modules).unwrap_or(u32::MAX);
        self.of(fill.saturating_mul(self.plan.accumulate))
    }

    /// Whether each module predicts its weights.
    pub(super) fn predicts(&self) -> Result<Vec<bool>, Error> {
        // A single batch tells.
        let workers = self.of(1)?.workers;
        let predicts = |actions: &Vec<_>| {
            let mut actions = actions.iter();
            actions.any(|action: &dtrp_core::schedule::Action| action.horizon.is_some())
        };
        Ok(workers.iter().map(predicts).collect())
    }

    /// The most updates between a unit's forward and its backward at each module, counted from a program.
    pub(super) fn staleness(&self) -> Result<Vec<u32>, Error> {
        let report = analysis::analyse(&self.steady()?, NonZeroUsize::MIN);
        let report = report.map_err(|fault| Error::Bug(fault.to_string()))?;
        let workers = report.workers.iter();
        Ok(workers.map(|worker| worker.max_staleness()).collect())
    }
}

/// Reads the program of `method.program` and checks that it is right and fits the run.
fn from_file(path: &Path, plan: &Plan) -> Result<Program, Error> {
    let program = schedule::read(path)?;
    if let Err(fault) = analysis::analyse(&program, NonZeroUsize::MIN) {
        return Err(schedule::wrong(path, &fault));
    }
    for (what, own, wanted) in [
        ("modules", program.modules(), plan.modules),
        ("micro_batches", program.micro_batches.into(), plan.micro_batches.into()),
    ] {
        if own != wanted {
            let message = format!("the program has {what} {own}, but method.{what} is {wanted}");
            return Err(schedule::wrong(path, &message));
        }
    }
    match program.batches {
        0 => Err(schedule::wrong(path, &"the program has no batches")),
        _ => Ok(program),
    }
}
