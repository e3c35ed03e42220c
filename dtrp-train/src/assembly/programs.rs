//! The programs of a run: the method's own, for any number of batches, or one that was given.

use crate::error::{Result, TrainError};
use crate::settings::{MethodSettings, usual_order};
use dtrp_core::analysis;
use dtrp_core::schedule::{Action, Method, Op, Order, Plan, Program};
use std::num::NonZeroUsize;
use std::path::Path;

/// What programs are laid out from.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The method of the programs that are laid out here; nothing where the only program was given.
    method: Option<&'static Method>,
    /// For a whole epoch.
    pub(crate) plan: Plan,
    /// Given, and run over and over instead of the method's own.
    pub(crate) fixed: Option<Program>,
}

impl Programs {
    /// As the settings say, for epochs of so many batches.
    pub(crate) fn new(section: &MethodSettings, given: Option<&Program>, batches: u32) -> Result<Self> {
        let mut plan = Plan {
            modules: section.modules,
            batches,
            order: section.order,
            micro_batches: section.micro_batches,
            accumulate: section.accumulate,
            recompute: section.recompute.of(section.modules),
        };
        let fixed = match (given, &section.program) {
            (Some(program), _) => Some(fitting(program.clone(), &plan, None)?),
            (None, Some(path)) => Some(fitting(read_program(path)?, &plan, Some(path))?),
            (None, None) => None,
        };
        let method = match &fixed {
            // A program says itself what it is, and need not be one of a method that is known here.
            Some(_) => None,
            None => Some(Method::named(&section.name)?),
        };
        if let (None, Some(method)) = (plan.order, method) {
            plan.order = usual_order(method, plan.modules);
        }
        Ok(Self { method, plan, fixed })
    }

    /// The program for so many batches; of one that was given there is only the one length.
    pub(crate) fn of(&self, batches: u32) -> Result<Program> {
        match (&self.fixed, self.method) {
            (Some(program), _) => Ok(program.clone()),
            (None, Some(method)) => Ok(method.program(&Plan {
                batches,
                ..self.plan.clone()
            })?),
            (None, None) => Err(TrainError::Bug("there is neither a method nor a program".to_owned())),
        }
    }

    /// The method and the order that the programs name.
    pub(crate) fn names(&self) -> (String, Order) {
        match (&self.fixed, self.method) {
            (None, Some(method)) => (method.name.to_owned(), self.plan.order.unwrap_or(method.orders[0])),
            (Some(program), _) => (program.method.clone(), program.order),
            (None, None) => (String::new(), Order::Synchronous),
        }
    }

    /// A program long enough to show the steady state, or, where that takes longer than an epoch, what becomes of one.
    pub(crate) fn steady(&self) -> Result<Program> {
        let fill = u32::try_from(self.plan.modules).unwrap_or(u32::MAX).saturating_mul(8);
        let groups = fill.saturating_mul(self.plan.accumulate);
        self.of(groups.min(self.plan.batches).max(fill))
    }

    /// Whether each module predicts its weights.
    pub(crate) fn predicts(&self) -> Result<Vec<bool>> {
        // A single batch tells.
        let workers = self.of(1)?.workers;
        let predicts = |actions: &Vec<Action>| actions.iter().any(|action| action.horizon.is_some());
        Ok(workers.iter().map(predicts).collect())
    }

    /// Whether gradients travel between the modules; without them every module has a loss of its own.
    pub(crate) fn gradients(&self) -> Result<bool> {
        let program = self.of(1)?;
        let mut actions = program.workers.iter().flatten();
        Ok(program.modules() == 1 || actions.any(|action| action.op == Op::SendD))
    }

    /// The most updates between a unit's forward and its backward at each module, counted from a program.
    pub(crate) fn staleness(&self) -> Result<Vec<u32>> {
        let report = analysis::analyse(&self.steady()?, NonZeroUsize::MIN);
        let report = report.map_err(|fault| TrainError::Bug(fault.to_string()))?;
        let workers = report.workers.iter();
        Ok(workers.map(|worker| worker.max_staleness()).collect())
    }
}

/// Reads a program in either form.
///
/// # Errors
///
/// [`TrainError::Program`], with the file and the place in it.
pub fn read_program(path: &Path) -> Result<Program> {
    let wrong = |message: String| TrainError::Program {
        path: Some(path.to_owned()),
        message,
    };
    let text = dtrp_text::read_text(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    parse_program(&text).map_err(wrong)
}

/// A program from its text or its JSON form.
///
/// # Errors
///
/// What is wrong, and where.
pub fn parse_program(text: &str) -> Result<Program, String> {
    if text.trim_start().starts_with('{') {
        return Program::from_json(text).map_err(|error| error.to_string());
    }
    text.parse()
        .map_err(|error: dtrp_core::schedule::TextError| error.to_string())
}

/// Checks that a program that was given is right, and fits the run.
fn fitting(program: Program, plan: &Plan, path: Option<&Path>) -> Result<Program> {
    let wrong = |message: String| TrainError::Program {
        path: path.map(Path::to_owned),
        message,
    };
    if let Err(fault) = analysis::analyse(&program, NonZeroUsize::MIN) {
        return Err(wrong(fault.to_string()));
    }
    for (what, own, wanted) in [
        ("modules", program.modules(), plan.modules),
        ("micro_batches", program.micro_batches.into(), plan.micro_batches.into()),
    ] {
        if own != wanted {
            return Err(wrong(format!(
                "the program has {what} {own}, but method.{what} is {wanted}"
            )));
        }
    }
    if program.batches == 0 {
        return Err(wrong("the program has no batches".to_owned()));
    }
    Ok(program)
}
