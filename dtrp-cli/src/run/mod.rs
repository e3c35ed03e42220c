//! The run's folder:
//!
//! ```text
//! <run.dir>/<run.name>/
//!   config.yaml           the resolved configuration
//!   metrics.jsonl         an object for every logged step and every epoch, appended while the run goes on
//!   schedule.txt          the first slots as planned
//!   trace.txt             the first slots as executed; equal to schedule.txt
//!   weights.safetensors   parameters and running statistics after the last whole epoch, with PyTorch's names
//!   summary.json          how it ended
//! ```
//!
//! Each file is written by a subscriber of the training's events.

mod files;
mod folder;
mod metrics;
mod slots;

pub(crate) use files::{Files, WEIGHTS};
pub(crate) use folder::{Folder, write_atomically};
pub(crate) use metrics::{Line, Metrics};
pub(crate) use slots::first_slots;

/// The name of the summary in a run's folder.
pub(crate) const SUMMARY: &str = "summary.json";
