//! What is asked of a method.

use super::error::ScheduleError;
use super::method::Method;
use super::program::Order;
use dtrp_text::words;

/// Everything that a method needs to know to lay out its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// K, the number of modules.
    pub modules: usize,
    /// N, the number of batches.
    pub batches: u32,
    /// The order; `None` takes the method's default.
    pub order: Option<Order>,
    /// m: each batch is split into so many micro-batches (1: not at all).
    pub micro_batches: u16,
    /// M: one update for so many batches (1: for every batch).
    pub accumulate: u32,
    /// For each module what it recomputes; empty leaves it to the method. The last module never recomputes.
    pub recompute: Vec<Recompute>,
}

/// What a module recomputes between its forward and its backward of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recompute {
    /// Everything: it keeps only the input, and its backward differentiates at the weights of the recomputation.
    Full,
    /// Nothing: it keeps the graph of its first forward, and the weights that this used.
    None,
}

words!(Recompute, "choice for what is recomputed", [Full "full", None "none"]);

impl Plan {
    /// `batches` batches through `modules` modules, everything else by default.
    pub fn new(modules: usize, batches: u32) -> Self {
        Self {
            modules,
            batches,
            order: None,
            micro_batches: 1,
            accumulate: 1,
            recompute: Vec::new(),
        }
    }

    /// The same plan in this order.
    pub fn order(self, order: Order) -> Self {
        Self {
            order: Some(order),
            ..self
        }
    }

    /// The same plan with every batch split into `micro_batches`.
    pub fn micro_batches(self, micro_batches: u16) -> Self {
        Self { micro_batches, ..self }
    }

    /// The same plan with one update for every `accumulate` batches.
    pub fn accumulate(self, accumulate: u32) -> Self {
        Self { accumulate, ..self }
    }

    /// The same plan in which each module recomputes this, module 1 first.
    pub fn recompute(self, recompute: impl Into<Vec<Recompute>>) -> Self {
        Self {
            recompute: recompute.into(),
            ..self
        }
    }
}

/// A method and a plan for it: a builder such as [`Dtrp`](super::Dtrp), or the two as a pair.
///
/// ```
/// use dtrp_core::schedule::{Dtrp, Method, Plan, Schedule, ScheduleError};
///
/// fn name(schedule: &impl Schedule) -> Result<&'static str, ScheduleError> {
///     Ok(schedule.method()?.name)
/// }
///
/// assert_eq!(name(&Dtrp::new(3).eager())?, "dtrp");
/// assert_eq!(name(&(Method::named("fdg")?, Plan::new(3, 10)))?, "fdg");
/// # Ok::<(), ScheduleError>(())
/// ```
pub trait Schedule {
    /// The method.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::UnknownMethod`] where it is given by a name that no method has.
    fn method(&self) -> Result<&'static Method, ScheduleError>;

    /// What is asked of it. Whoever trains asks for as many batches as there are.
    fn plan(&self) -> &Plan;
}

impl Schedule for (&'static Method, Plan) {
    fn method(&self) -> Result<&'static Method, ScheduleError> {
        Ok(self.0)
    }

    fn plan(&self) -> &Plan {
        &self.1
    }
}
