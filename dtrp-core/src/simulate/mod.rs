//! When would it happen? The run of a program over given costs, without tensors or threads.
//!
//! [`simulate`] runs a [`Program`]; [`simulate_plan`] runs what a method makes of a plan, and answers also for millions of
//! batches, because it does not lay them all out: it recognises the steady state, with proof, and skips it exactly (see
//! `steady.rs`). [`sweep`](fn@sweep) compares methods, orders, numbers of modules and of micro-batches.
//!
//! The model:
//!
//! * a worker does the actions of its list in order; a computation takes what the [`ModuleCosts`] say (a micro-batch its
//!   share of them), with [`Jitter`] if asked for;
//! * a message is sent in the background: the sender goes on at once unless the link is full, that is, holds
//!   [`SimulationOptions::capacity`] messages that were sent and not yet received, as in the engine. It arrives after its transfer and
//!   the latency ([`Links`]); the receiver waits for it;
//! * in the sweep order, which is forward-locked, all workers also wait until the batch of a slot has passed through all
//!   modules, and again until all backwards of the slot are done;
//! * in all other orders nothing else is waited for.
//!
//! All times are whole nanoseconds, so results are exact and the same on every machine.

mod conditions;
mod error;
mod link;
mod memory;
mod report;
mod run;
mod steady;
mod sweep;
mod tape;
mod walk;

pub use conditions::{Jitter, Links};
pub use error::SimulateError;
pub use report::{Simulation, WorkerUse};
pub use steady::Steady;
pub use sweep::{Comparison, Row, Sweep, sweep};

use crate::analysis;
use crate::costs::ModuleCosts;
use crate::schedule::{Method, Plan, Program, ScheduleError};
use std::num::NonZeroUsize;

/// The conditions of a simulated run, and what is wanted of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationOptions {
    /// What connects the workers.
    pub links: Links,
    /// Messages that a link holds in each direction before its sender waits.
    pub capacity: NonZeroUsize,
    /// Random deviations from the costs.
    pub jitter: Option<Jitter>,
    /// Images in a batch, for a throughput in images per second.
    pub batch_size: Option<u32>,
    /// Whether to return the events of every worker; the whole run is then walked through.
    pub timeline: bool,
    /// How much memory the simulation may use, roughly, in bytes.
    pub memory_limit: u64,
}

impl Default for SimulationOptions {
    /// Links that take no time, two messages a link as in the engine, no jitter, no timeline, 4 GiB.
    fn default() -> Self {
        Self {
            links: Links::default(),
            capacity: analysis::CAPACITY,
            jitter: None,
            batch_size: None,
            timeline: false,
            memory_limit: 4 << 30,
        }
    }
}

/// Simulates a program whose module k = 1..K has the costs at index k−1. The program is analysed first.
///
/// # Errors
///
/// [`SimulateError`]: the program is faulty, the costs are not of its modules, a setting makes no sense, or the run would
/// be too large.
pub fn simulate(
    program: &Program,
    costs: &[ModuleCosts],
    options: &SimulationOptions,
) -> Result<Simulation, SimulateError> {
    run::check(program.modules(), costs, options)?;
    analysis::analyse(program, options.capacity)?;
    let tapes = tape::tapes(program);
    run::run(program, &tapes, program.batches, 0, costs, options)
}

/// Simulates what `method` makes of `plan`. Module k = 1..K has the costs at index k−1.
///
/// The result is that of [`simulate`] for the program of the plan. But unless a timeline is wanted, only as many batches
/// are laid out as it takes to fill and drain the pipeline: the program of a longer plan has the same lists, with the
/// last block of their repeating section more often.
///
/// # Errors
///
/// As for [`simulate`], and when the method does not have what the plan asks for.
pub fn simulate_plan(
    method: &Method,
    plan: &Plan,
    costs: &[ModuleCosts],
    options: &SimulationOptions,
) -> Result<Simulation, SimulateError> {
    run::check(plan.modules, costs, options)?;
    let group = plan.accumulate.max(1);
    // No worker is further ahead of its backward than 2(K − 1) batches, and it takes three groups to see a repetition.
    let depth = u32::try_from(2 * plan.modules).unwrap_or(u32::MAX);
    let mut enough = depth.saturating_add(group.saturating_mul(3));
    while !options.timeline && enough < plan.batches {
        let short = enough + (plan.batches - enough) % group;
        let program = lay_out(method, plan, short, options)?;
        let tapes = tape::tapes(&program);
        if tapes.iter().all(|tape| tape.section.is_some()) {
            let repeats = u64::from((plan.batches - short) / group);
            return run::run(&program, &tapes, plan.batches, repeats, costs, options);
        }
        enough = enough.saturating_mul(2);
    }
    let program = lay_out(method, plan, plan.batches, options)?;
    let tapes = tape::tapes(&program);
    run::run(&program, &tapes, plan.batches, 0, costs, options)
}

/// The analysed program of a plan for so many batches.
fn lay_out(method: &Method, plan: &Plan, batches: u32, options: &SimulationOptions) -> Result<Program, SimulateError> {
    // A worker has up to eight actions for each unit.
    let units = u64::from(batches) * u64::from(plan.micro_batches);
    let actions = units.saturating_mul(8 * plan.modules as u64);
    run::check_size(actions, options)?;
    let plan = Plan {
        batches,
        ..plan.clone()
    };
    let program = method.program(&plan)?;
    analysis::analyse(&program, options.capacity)?;
    Ok(program)
}

fn no_modules() -> SimulateError {
    SimulateError::Schedule(ScheduleError::Zero {
        what: "the number of modules",
    })
}
