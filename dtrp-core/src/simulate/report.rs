//! What a simulation says.

use super::steady::Steady;
use crate::costs::Memory;
use crate::schedule::Order;
use crate::trace::Timeline;
use dtrp_text::Table;
use dtrp_text::units::{self, bytes};
use serde::{Serialize, Serializer};
use std::fmt;

/// The result of a simulated run. `Display` draws a table of the workers; as JSON it holds everything but the timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulation {
    /// The method.
    pub method: String,
    /// How its actions are arranged.
    pub order: Order,
    /// K, the number of modules and of workers.
    pub modules: usize,
    /// N, the number of batches.
    pub batches: u32,
    /// m, the number of micro-batches in a batch.
    pub micro_batches: u16,
    /// How long the whole run takes, in nanoseconds.
    pub makespan_ns: u64,
    /// The steady state, where one was recognised: not with jitter, and only if the run is long enough to reach it.
    pub steady: Option<Steady>,
    /// Time per batch, in nanoseconds: in the steady state, or over the whole run if none was recognised.
    pub batch_ns: f64,
    /// Batches in a second, from `batch_ns`.
    pub batches_per_second: f64,
    /// Images in a second, if the size of a batch is known.
    pub images_per_second: Option<f64>,
    /// Until every worker has finished its first backward, in nanoseconds.
    pub fill_ns: u64,
    /// From the end of the last forward of worker 1, when no more batches come, to the end of the run, in nanoseconds.
    pub drain_ns: u64,
    /// Mean share of the run that a worker computes.
    pub utilisation: f64,
    /// Mean share of the run that a worker waits: 1 − utilisation.
    pub bubble: f64,
    /// Mean share of the steady state that a worker computes.
    pub steady_utilisation: Option<f64>,
    /// Actions of all workers.
    pub actions: u64,
    /// Actions that were really walked through; the others were proved to be repetitions.
    pub walked_actions: u64,
    /// Worker k = 1..K at index k−1.
    pub workers: Vec<WorkerUse>,
    /// The events of every worker, if asked for.
    #[serde(skip)]
    pub timeline: Option<Timeline>,
}

/// What one worker does in a simulated run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerUse {
    /// How long it computes, in nanoseconds.
    pub busy_ns: u64,
    /// The share of the run that it computes, from 0 to 1.
    pub utilisation: f64,
    /// The share of the steady state that it computes.
    pub steady_utilisation: Option<f64>,
    /// Its peak memory; all 0, and null as JSON, where the costs say nothing of bytes.
    #[serde(serialize_with = "known")]
    pub memory: Memory,
}

impl Simulation {
    /// The largest peak memory of any worker, in bytes; 0 where the costs say nothing of bytes.
    pub fn peak_memory(&self) -> u64 {
        let peaks = self.workers.iter().map(|w| w.memory.peak);
        peaks.max().unwrap_or(0)
    }
}

impl fmt::Display for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}: K = {}, N = {}",
            self.method, self.order, self.modules, self.batches
        )?;
        if self.micro_batches > 1 {
            write!(f, ", m = {}", self.micro_batches)?;
        }
        let kind = match self.steady {
            Some(_) => "in the steady state",
            None => "over the whole run (no steady state)",
        };
        writeln!(f)?;
        writeln!(f, "run           {}", time(self.makespan_ns as f64))?;
        writeln!(f, "per batch     {} {kind}", time(self.batch_ns))?;
        write!(f, "throughput    {:.2} batches/s", self.batches_per_second)?;
        if let Some(images) = self.images_per_second {
            write!(f, ", {images:.1} images/s")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "fill, drain   {}, {}",
            time(self.fill_ns as f64),
            time(self.drain_ns as f64)
        )?;
        write!(f, "utilisation   {}", percent(self.utilisation))?;
        if let Some(steady) = self.steady_utilisation {
            write!(f, " ({} in the steady state)", percent(steady))?;
        }
        writeln!(f, ", bubble {}", percent(self.bubble))?;
        let mut table = Table::new(0);
        table.row([
            "worker",
            "busy",
            "utilisation",
            "weights",
            "inputs",
            "graphs",
            "peak memory",
        ]);
        // Costs that say nothing of bytes leave memory unknown.
        let told = |count: u64| {
            if self.peak_memory() > 0 {
                bytes(count)
            } else {
                "-".to_owned()
            }
        };
        for (worker, k) in self.workers.iter().zip(1..) {
            table.row([
                usize::to_string(&k),
                time(worker.busy_ns as f64),
                percent(worker.utilisation),
                told(worker.memory.weights),
                told(worker.memory.inputs),
                told(worker.memory.graphs),
                told(worker.memory.peak),
            ]);
        }
        table.fmt(f)
    }
}

/// Memory, or null where it is not known.
fn known<S: Serializer>(memory: &Memory, serializer: S) -> Result<S::Ok, S::Error> {
    Some(memory).filter(|memory| memory.peak > 0).serialize(serializer)
}

/// A time of so many nanoseconds, in the unit that suits it.
pub(super) fn time(ns: f64) -> String {
    units::seconds(ns / 1e9)
}

/// A share of 1, to a tenth of a percent.
pub(super) fn percent(share: f64) -> String {
    units::percent(Some(share), 1)
}
