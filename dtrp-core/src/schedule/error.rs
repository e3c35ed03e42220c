//! Why there is no program.

use super::program::Order;
use dtrp_text::UnknownName;

/// Why a method cannot make a program from a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// No method has this name.
    #[error(transparent)]
    UnknownMethod(#[from] UnknownName),
    /// The plan has a number that no program can have.
    #[error("{what} must be at least 1")]
    Zero {
        /// Which number.
        what: &'static str,
    },
    /// The plan asks for more than can be laid out.
    #[error("{what} is {value}, but can be at most {most}")]
    TooMany {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u128,
        /// What it can be.
        most: u64,
    },
    /// The method cannot be laid out in this order.
    #[error("method `{method}` has no order `{order}`; it can be {known}")]
    Order {
        /// The method.
        method: &'static str,
        /// The order asked for.
        order: Order,
        /// The orders that it has.
        known: String,
    },
    /// The method does not have this option.
    #[error("method `{method}` has no {what}: leave it at 1, or choose one of {known}")]
    Option {
        /// The method.
        method: &'static str,
        /// The option asked for.
        what: &'static str,
        /// The methods that have it.
        known: String,
    },
    /// It cannot be chosen what the method recomputes.
    #[error("method `{method}` recomputes what it does: leave the choice out, or choose one of {known}")]
    Recompute {
        /// The method.
        method: &'static str,
        /// The methods where it can be chosen.
        known: String,
    },
    /// What is recomputed is chosen for another number of modules.
    #[error("what is recomputed is said of {given} modules, but there are {modules}: say it of each")]
    Choices {
        /// Of how many.
        given: usize,
        /// How many there are.
        modules: usize,
    },
    /// The method itself is wrong: it has no order, or lays out another number of workers than there are modules.
    #[error("method `{method}` is wrong: {message}")]
    Method {
        /// The method.
        method: &'static str,
        /// What is wrong with it.
        message: String,
    },
}
