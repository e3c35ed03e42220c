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

mod folder;
mod metrics;
mod summary;

pub(crate) use folder::{Folder, write_atomically};
pub(crate) use metrics::{EpochLine, Metrics, StepLine, WorkerLine};
pub(crate) use summary::{End, GpuSummary, HostReadsSummary, Summary, WorkerSummary, peak_rss_bytes};
