//! The run's folder:
//!
//! ```text
//! <run.dir>/<run.name>/
//!   config.yaml           the resolved configuration
//!   metrics.jsonl         an object for every logged step and every epoch, appended while the run goes on
//!   costs.yaml            what each block costs, where that was measured
//!   schedule.txt          the first slots as planned
//!   trace.txt             the first slots as executed; equal to schedule.txt
//!   trace.json, .svg      when every action of the first epoch ran, with `run.trace: timed`
//!   weights.safetensors   parameters and running statistics after the last whole epoch, with PyTorch's names
//!   summary.json          how it ended
//! ```
//!
//! The first three are there from the moment at which the folder is; each of the others is written by a subscriber of the
//! training's events. `docs/runs.md` says what stands in them.

mod files;
mod folder;
mod metrics;
mod slots;
mod summary;

pub(crate) use files::{Files, TRACE, WEIGHTS};
pub(crate) use folder::{Claim, Folder, InUse, goes_on};
pub(crate) use metrics::{Line, METRICS};
pub(crate) use slots::first_slots;
pub(crate) use summary::{SUMMARY, SummaryFile};

/// The file of the configuration.
pub(crate) const CONFIG: &str = "config.yaml";

/// The file of the blocks' costs.
pub(crate) const COSTS: &str = "costs.yaml";
