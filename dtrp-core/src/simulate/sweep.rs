//! Methods, orders, numbers of modules and of micro-batches side by side.

use super::error::SimulateError;
use super::report::{Simulation, percent, time};
use super::{SimulationOptions, simulate_plan};
use crate::costs::ModuleCosts;
use crate::schedule::{Method, Order, Plan};
use dtrp_text::Table;
use dtrp_text::units::bytes;
use serde::Serialize;
use std::fmt;

/// What is compared: every combination of these that exists.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// The methods.
    pub methods: Vec<&'static Method>,
    /// The orders; none given: all that a method has.
    pub orders: Vec<Order>,
    /// Numbers of modules.
    pub modules: Vec<usize>,
    /// Numbers of micro-batches. A method that has none is simulated with whole batches only.
    pub micro_batches: Vec<u16>,
    /// Batches in each run.
    pub batches: u32,
}

/// The rows of a sweep. `Display` draws one aligned table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Batches in each run.
    pub batches: u32,
    /// A row for each combination.
    pub rows: Vec<Row>,
}

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The method.
    pub method: String,
    /// The order.
    pub order: String,
    /// K, the number of modules.
    pub modules: usize,
    /// m, the number of micro-batches.
    pub micro_batches: u16,
    /// Time per batch, in nanoseconds, in the steady state if `steady`, else over the whole run.
    pub batch_ns: f64,
    /// Whether a steady state was recognised.
    pub steady: bool,
    /// Batches in a second.
    pub batches_per_second: f64,
    /// Images in a second, if the size of a batch is known.
    pub images_per_second: Option<f64>,
    /// How many times as fast as plain training on one worker: all forwards, backwards and updates one after the other.
    pub speedup: f64,
    /// Mean share of the time that a worker computes, in the steady state if `steady`, else over the whole run.
    pub utilisation: f64,
    /// Mean share of the whole run that a worker waits.
    pub bubble: f64,
    /// The largest peak memory of any worker, in bytes; `None` where the costs say nothing of bytes.
    pub peak_memory: Option<u64>,
    /// Until every worker has finished its first backward, in nanoseconds.
    pub fill_ns: u64,
    /// From worker 1's last forward to the end, in nanoseconds.
    pub drain_ns: u64,
    /// The whole run, in nanoseconds.
    pub makespan_ns: u64,
}

/// Simulates every combination. `costs` gives the costs of the modules for a method and a number of modules, so that each
/// method can be cut in its own best way.
///
/// # Errors
///
/// The first error of `costs` or of a simulation.
pub fn sweep<E: From<SimulateError>>(
    sweep: &Sweep,
    mut costs: impl FnMut(&'static Method, usize) -> Result<Vec<ModuleCosts>, E>,
    options: &SimulationOptions,
) -> Result<Comparison, E> {
    let options = SimulationOptions {
        timeline: false,
        ..options.clone()
    };
    let mut rows = Vec::new();
    for &modules in &sweep.modules {
        for &method in &sweep.methods {
            let costs = costs(method, modules)?;
            let wanted = |o: &&Order| sweep.orders.is_empty() || sweep.orders.contains(o);
            for &order in method.orders.iter().filter(wanted) {
                for micro in micro_batches(method, sweep) {
                    let plan = Plan::new(modules, sweep.batches).order(order).micro_batches(micro);
                    let result = simulate_plan(method, &plan, &costs, &options)?;
                    rows.push(row(&result, &costs));
                }
            }
        }
    }
    Ok(Comparison {
        batches: sweep.batches,
        rows,
    })
}

fn micro_batches(method: &Method, sweep: &Sweep) -> Vec<u16> {
    if method.micro_batches && !sweep.micro_batches.is_empty() {
        sweep.micro_batches.clone()
    } else {
        vec![1]
    }
}

fn row(result: &Simulation, costs: &[ModuleCosts]) -> Row {
    let plain: f64 = costs.iter().map(|c| c.plain_ns() as f64).sum();
    let fast = result.batch_ns > 0.0;
    Row {
        method: result.method.clone(),
        order: result.order.to_string(),
        modules: result.modules,
        micro_batches: result.micro_batches,
        batch_ns: result.batch_ns,
        steady: result.steady.is_some(),
        batches_per_second: result.batches_per_second,
        images_per_second: result.images_per_second,
        speedup: if fast { plain / result.batch_ns } else { 0.0 },
        utilisation: result.steady_utilisation.unwrap_or(result.utilisation),
        bubble: result.bubble,
        peak_memory: Some(result.peak_memory()).filter(|peak| *peak > 0),
        fill_ns: result.fill_ns,
        drain_ns: result.drain_ns,
        makespan_ns: result.makespan_ns,
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = self.rows.iter().any(|r| r.images_per_second.is_some());
        let throughput = if images { "images/s" } else { "batches/s" };
        let mut table = Table::new(2);
        table.row([
            "method",
            "order",
            "K",
            "m",
            "per batch",
            throughput,
            "speed-up",
            "utilisation",
            "bubble",
            "peak memory",
            "fill",
            "drain",
        ]);
        let cells = |r: &Row| {
            // A time per batch that is only the mean of the run is marked.
            let mark = if r.steady { "" } else { "~" };
            vec![
                r.method.clone(),
                r.order.clone(),
                r.modules.to_string(),
                r.micro_batches.to_string(),
                format!("{mark}{}", time(r.batch_ns)),
                format!("{:.2}", r.images_per_second.unwrap_or(r.batches_per_second)),
                format!("{:.2}", r.speedup),
                percent(r.utilisation),
                percent(r.bubble),
                r.peak_memory.map_or_else(|| "-".to_owned(), bytes),
                time(r.fill_ns as f64),
                time(r.drain_ns as f64),
            ]
        };
        for row in &self.rows {
            table.row(cells(row));
        }
        table.fmt(f)?;
        if self.rows.iter().any(|r| !r.steady) {
            writeln!(f, "~ mean of the whole run: no steady state")?;
        }
        Ok(())
    }
}
