//! `dtrp simulate`: when a program would run, over given costs; no tensors.

use crate::config::path_argument;
use crate::costs;
use crate::error::Error;
use crate::output;
use clap::{Args, ValueEnum};
use dtrp_core::costs::{BlockCost, Costs, ModuleCosts};
use dtrp_core::schedule::{Method, Order, Plan};
use dtrp_core::simulate::{Jitter, Links, SimulateError, SimulationOptions, Sweep, simulate_plan, sweep};
use dtrp_models::split_evenly;
use dtrp_text::to_json;
use dtrp_train::{Cuts, TrainError, best_cuts};
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  dtrp simulate --method dtrp --modules 4
      one method over even costs
  dtrp simulate --method bp,fdg,dtrp,pipedream --modules 2,4,8
      every combination, as one table
  dtrp profile --output costs.yaml && dtrp simulate --costs costs.yaml --modules 2 --cuts auto
      over measured costs, cut as well as it can be";

/// Blocks of the network that `--forward-ms` and `--backward-ms` describe: it can be cut evenly into 1, 2, 3, 4, 5, 6, 8 or
/// more modules.
const EVEN_BLOCKS: u64 = 840;

/// `dtrp simulate`
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Simulate {
    /// Methods, with commas between them
    #[arg(long, value_delimiter = ',', default_value = "dtrp")]
    method: Vec<String>,
    /// Numbers of modules
    #[arg(long, value_delimiter = ',', default_value = "2")]
    modules: Vec<usize>,
    /// Orders [default: the method's own; with several combinations all that a method has]
    #[arg(long, value_delimiter = ',')]
    order: Vec<Order>,
    /// Numbers of micro-batches
    #[arg(long, value_delimiter = ',', default_value = "1")]
    micro_batches: Vec<u16>,
    /// Batches
    #[arg(long, default_value_t = 200)]
    batches: u32,
    /// Costs of the blocks, as `dtrp profile` measures them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["forward_ms", "backward_ms"], value_parser = path_argument())]
    costs: Option<PathBuf>,
    /// Without --costs: a forward of the whole network in milliseconds
    #[arg(long, default_value_t = 100.0)]
    forward_ms: f64,
    /// Without --costs: a backward of the whole network in milliseconds
    #[arg(long, default_value_t = 200.0)]
    backward_ms: f64,
    /// Where the network is cut: `even`, `auto` (the slowest worker as fast as it can be, for each method), or the numbers of
    /// blocks below the cuts, with commas between them
    #[arg(long, default_value = "even")]
    cuts: Cuts,
    /// Time that every message takes, in microseconds
    #[arg(long, default_value_t = 0.0)]
    latency_us: f64,
    /// What a link transfers in a second [default: any amount]
    #[arg(long)]
    bytes_per_second: Option<u64>,
    /// Messages that a link holds in each direction
    #[arg(long, default_value = "2")]
    capacity: NonZeroUsize,
    /// Standard deviation of every time, as a share of it
    #[arg(long, default_value_t = 0.0)]
    jitter: f64,
    /// Probability that an action is a straggler
    #[arg(long, default_value_t = 0.0)]
    straggler_probability: f64,
    /// How many times as long a straggler takes
    #[arg(long, default_value_t = 10.0)]
    straggler_factor: f64,
    /// Seed of jitter and stragglers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print the result; chrome and svg draw a single simulation
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    /// For Perfetto and chrome://tracing
    Chrome,
    /// A Gantt chart
    Svg,
}

/// Simulates and prints what came of it.
pub(super) fn run(args: &Simulate) -> Result<(), Error> {
    let costs = args.costs()?;
    let methods = args
        .method
        .iter()
        .map(|name| Method::named(name))
        .collect::<Result<Vec<_>, _>>()?;
    let single = methods.len() * args.modules.len() * args.micro_batches.len() == 1 && args.order.len() <= 1;
    let draws = matches!(args.format, Format::Chrome | Format::Svg);
    if draws && !single {
        let what = "--format chrome and svg draw one simulation: give one method, order and number of modules";
        return Err(Error::Fit(what.to_owned()));
    }
    let options = args.options(costs.batch_size, draws)?;
    if !single {
        let all = Sweep {
            methods,
            orders: args.order.clone(),
            modules: args.modules.clone(),
            micro_batches: args.micro_batches.clone(),
            batches: args.batches,
        };
        let comparison = sweep(&all, |method, modules| args.cut(&costs, method, modules, 1), &options)?;
        return print(args.format, &comparison);
    }
    let (method, modules, micro) = (methods[0], args.modules[0], args.micro_batches[0]);
    let mut plan = Plan::new(modules, args.batches).micro_batches(micro);
    plan.order = args.order.first().copied();
    let modules = args.cut(&costs, method, modules, micro)?;
    let result = simulate_plan(method, &plan, &modules, &options)?;
    match (&result.timeline, args.format) {
        (Some(timeline), Format::Chrome) => output::print(&timeline.to_chrome()),
        (Some(timeline), Format::Svg) => output::print(&timeline.to_svg()),
        _ => print(args.format, &result),
    }
}

fn print(format: Format, result: &(impl std::fmt::Display + serde::Serialize)) -> Result<(), Error> {
    let text = if format == Format::Json {
        to_json(result)
    } else {
        result.to_string()
    };
    output::print(&format!("{}\n", text.trim_end()))
}

impl Simulate {
    fn costs(&self) -> Result<Costs, Error> {
        if let Some(path) = &self.costs {
            return costs::read(path);
        }
        for (what, value) in [("--forward-ms", self.forward_ms), ("--backward-ms", self.backward_ms)] {
            if !(0.0..=1e9).contains(&value) {
                return Err(Error::Fit(format!("{what} is {value}, but must be from 0 to 1e9")));
            }
        }
        let share = |ms: f64| (ms * 1e6 / EVEN_BLOCKS as f64).round() as u64;
        let block = BlockCost {
            forward_ns: share(self.forward_ms),
            backward_ns: share(self.backward_ms),
            ..BlockCost::default()
        };
        Ok(Costs {
            batch_size: None,
            blocks: vec![block; EVEN_BLOCKS as usize],
        })
    }

    fn options(&self, batch_size: Option<u32>, timeline: bool) -> Result<SimulationOptions, Error> {
        if !(0.0..=1e12).contains(&self.latency_us) {
            return Err(Error::Fit(format!(
                "--latency-us is {}, but must be from 0",
                self.latency_us
            )));
        }
        // As they are typed here, before the simulator says what it calls them.
        for (what, value, most) in [
            ("--jitter", self.jitter, 1.0),
            ("--straggler-probability", self.straggler_probability, 1.0),
            ("--straggler-factor", self.straggler_factor, 1e6),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(Error::Fit(format!("{what} is {value}, but must be from 0 to {most}")));
            }
        }
        let random = self.jitter != 0.0 || self.straggler_probability != 0.0;
        Ok(SimulationOptions {
            links: Links {
                latency_ns: (self.latency_us * 1e3).round() as u64,
                bytes_per_second: self.bytes_per_second,
            },
            capacity: self.capacity,
            jitter: random.then_some(Jitter {
                seed: self.seed,
                relative_std: self.jitter,
                straggler_probability: self.straggler_probability,
                straggler_factor: self.straggler_factor,
            }),
            batch_size,
            timeline,
            ..SimulationOptions::default()
        })
    }

    /// The costs of the modules, cut for this method.
    fn cut(
        &self,
        costs: &Costs,
        method: &Method,
        modules: usize,
        micro_batches: u16,
    ) -> Result<Vec<ModuleCosts>, Error> {
        let blocks = costs.blocks.len();
        // Before anything is laid out for so many.
        split_evenly(blocks, modules)?;
        let ranges = match self.cuts.ranges(costs.names(), modules)? {
            Some(ranges) => ranges,
            None => {
                // Enough batches for a steady state, so that what a worker does for a batch is told right.
                let batches = u32::try_from(8 * modules).unwrap_or(u32::MAX);
                let mut plan = Plan::new(modules, batches);
                plan.order = self
                    .order
                    .first()
                    .copied()
                    .filter(|order| method.orders.contains(order));
                plan.micro_batches = if method.micro_batches { micro_batches } else { 1 };
                best_cuts(costs, &method.program(&plan)?, None)?.modules
            }
        };
        Ok(costs.modules(&ranges).map_err(TrainError::from)?)
    }
}

impl From<SimulateError> for Error {
    fn from(error: SimulateError) -> Self {
        Error::Fit(error.to_string())
    }
}
