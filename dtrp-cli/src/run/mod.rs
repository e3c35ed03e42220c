//! The run's folder:
//!
//! ```text
//! <run.dir>/<run.name>/
//!   config.yaml           the resolved configuration
//!   asked.yaml            of a run of a comparison, what it was asked to be
//!   metrics.jsonl         an object for every logged step and every epoch, appended while the run goes on
//!   steps.csv, epochs.csv the same as tables, with `logging.csv`
//!   tensorboard/          the same for TensorBoard, with `logging.tensorboard`
//!   costs.yaml            what each block costs, where that was measured
//!   schedule.txt          the first slots as planned
//!   trace.txt             the first slots as executed; equal to schedule.txt
//!   trace.json, .svg      when every action of the first epoch ran, with `run.trace: timed`
//!   weights.safetensors   parameters and running statistics after the last whole epoch, with PyTorch's names
//!   checkpoints/          the whole state at some moments, to go on with
//!   summary.json          how it ended
//! ```
//!
//! Configuration, metrics and costs are there from the moment at which the folder is; each of the others is written by a subscriber of the
//! training's events. `docs/runs.md` says what stands in them.

mod csv;
mod files;
mod folder;
mod growing;
mod metrics;
mod resume;
mod slots;
mod summary;
mod tensorboard;

pub(crate) use csv::Csv;
pub(crate) use files::{Files, TRACE, WEIGHTS};
pub(crate) use folder::{Claim, Folder, InUse, goes_on};
pub(crate) use metrics::{Line, METRICS, Metrics};
pub(crate) use resume::{CHECKPOINTS, Origin, Resume, came_to_nothing};
pub(crate) use slots::first_slots;
pub(crate) use summary::{SUMMARY, SummaryFile};
pub(crate) use tensorboard::TensorBoard;

use dtrp_train::StepReport;

/// The file of the configuration.
pub(crate) const CONFIG: &str = "config.yaml";

/// The file of the blocks' costs.
pub(crate) const COSTS: &str = "costs.yaml";

/// Whether a step is logged: the first, and every so manieth.
fn is_due(step: &StepReport, every: u64) -> bool {
    step.step == 1 || step.step.is_multiple_of(every)
}
