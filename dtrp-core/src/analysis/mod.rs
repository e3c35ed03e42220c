//! Is a program right, and what does it cost? Every program is analysed before any thread starts.
//!
//! [`analyse`] proves that every receive has its send in order, that nothing can deadlock with bounded channels, that each
//! unit is forwarded, back-propagated and applied exactly once by every module, and that weight versions and horizons are
//! the ones counted from the updates. It then derives what the program costs: staleness, stored inputs, live graphs,
//! weight versions, messages.
//!
//! [`cut_after`] says where a program that runs can be interrupted.
//!
//! Knows nothing of tensors or threads.

mod cut;
mod fault;
mod progress;
mod report;
mod worker;

pub use cut::{Cuts, cut_after};
pub use fault::Fault;
pub(crate) use fault::around;
pub use report::{ProgramReport, WorkerReport};

use crate::schedule::Program;
use std::num::NonZeroUsize;

/// How many messages a link holds in each direction where nobody says otherwise: in the engine, in the simulator, and where
/// a program is analysed for what it costs.
pub const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// Checks a program and derives its report.
///
/// `capacity` is the number of messages that a link holds in each direction before its sender has to wait.
///
/// # Errors
///
/// The first [`Fault`] found: the worker, the action, and what is wrong there.
pub fn analyse(program: &Program, capacity: NonZeroUsize) -> Result<ProgramReport, Fault> {
    let links = worker::gradient_links(program)?;
    let workers = (1..=program.modules()).map(|k| worker::examine(program, k, &links));
    let workers = workers.collect::<Result<_, _>>()?;
    progress::check(program, capacity)?;
    Ok(ProgramReport { workers })
}
