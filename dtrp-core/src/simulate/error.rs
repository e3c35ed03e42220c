//! Why a simulation is refused.

use crate::analysis::Fault;
use crate::costs::CostsError;
use crate::schedule::ScheduleError;

/// Why a program could not be simulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulateError {
    /// The analysis rejected the program.
    #[error("the program is faulty: {0}")]
    Program(#[from] Fault),
    /// The method cannot make the program that was asked for.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// There must be the costs of one module for each worker.
    #[error("the program has {modules} modules, but there are costs of {costs}")]
    Modules {
        /// Modules of the program.
        modules: usize,
        /// Modules whose costs were given.
        costs: usize,
    },
    /// There are no costs of such modules.
    #[error(transparent)]
    Costs(#[from] CostsError),
    /// A setting has a value that makes no sense.
    #[error("{what} is {value}, but it must be {must}")]
    Setting {
        /// The setting, by its name in the configuration.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// The times would not fit into 63 bits of nanoseconds (292 years).
    #[error("the run could last more than 292 years: are the costs in nanoseconds?")]
    Overflow,
    /// It would need too much memory.
    #[error("{what} would take about {need_mib} MiB, more than the limit of {limit_mib} MiB: {advice}")]
    TooLarge {
        /// What takes the memory.
        what: &'static str,
        /// How much it would need, in MiB.
        need_mib: u64,
        /// How much it may use, in MiB.
        limit_mib: u64,
        /// What to do about it.
        advice: &'static str,
    },
    /// The workers of a program in the sweep order wait for one another at the end of a slot.
    #[error(
        "the workers wait for one another: worker {worker} at {action}, in an order that lets a batch pass through all \
         modules before any backward"
    )]
    Stuck {
        /// A worker that waits, from 1.
        worker: usize,
        /// What it waits at.
        action: String,
    },
}
