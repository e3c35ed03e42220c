//! `dtrp bench`: a method against plain backpropagation, or against another configuration, measured in pairs.
//!
//! A is `bp` with the whole network as one module on one worker with one thread, unless other keys are given; B is the
//! method as configured. Both train the same network on the same batches in the same process, A and B in turn, so that
//! whatever else the machine does falls on both. Filling and draining the pipeline is part of every run.

use super::training::build;
use crate::config::{BENCH, Config, Layers, Set};
use crate::error::Error;
use crate::output;
use crate::progress;
use crate::stop;
use clap::Args;
use dtrp_text::units::{count, percent, rate, thousands};
use dtrp_text::{Table, to_json};
use dtrp_train::{Cuts, Stop, Tally, Trainer};
use serde::Serialize;
use std::fmt;

/// `dtrp bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    layers: Layers,
    /// Measure against the same configuration with these keys overridden, instead of against plain backpropagation
    #[arg(long, value_name = "PATH=VALUE")]
    against: Vec<Set>,
    /// Measure against nothing
    #[arg(long, conflicts_with = "against")]
    alone: bool,
    /// Pairs of runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Training steps (batches) of each run
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Steps of the first run of each, which is not measured: memory is allocated, kernels are chosen.
const WARM_UP: u32 = 5;

/// Measures, and prints what came of it.
pub(super) fn run(args: &Bench) -> Result<(), Error> {
    let config = args.layers.load(BENCH)?;
    let other = baseline(args, &config)?;
    for config in other.iter().map(|(_, other)| other).chain([&config]) {
        if config.settings.method.batch_compensation.fill {
            let what = "method.batch_compensation.fill changes the batches, and a benchmark needs the same ones on both sides; take `dtrp compare`";
            return Err(Error::Fit(what.to_owned()));
        }
    }
    let stop = stop::at_signals()?;
    let mut a = other
        .as_ref()
        .map(|(_, config)| side(config, args.steps, &stop))
        .transpose()?;
    let mut b = side(&config, args.steps, &stop)?;
    let mut pairs = Vec::new();
    for number in 0..args.pairs {
        // Both see the same epoch, that is the same batches in the same order.
        let epoch = u64::from(number) + 1;
        let a = a.as_mut().map(|a| a.stretch(epoch, args.steps)).transpose()?;
        let pair = Pair::of(a.as_ref(), &b.stretch(epoch, args.steps)?);
        progress::line(&format!("{} {}/{}: {pair}", pair.word(), number + 1, args.pairs));
        pairs.push(pair);
    }
    let name = other.map(|(name, _)| name);
    let result = Benchmark::of(&b, name, args.steps, pairs);
    output::print(&if args.json {
        to_json(&result)
    } else {
        result.to_string()
    })
}

/// One of the two that are compared, warm.
fn side(config: &Config, steps: u32, stop: &Stop) -> Result<Trainer, Error> {
    let mut trainer = build(config, stop)?;
    let per_epoch = trainer.length().batches_per_epoch;
    if steps > per_epoch {
        return Err(Error::Fit(format!(
            "--steps {steps} is more than the {per_epoch} batches of the data; take a smaller data.batch_size or more samples"
        )));
    }
    trainer.stretch(0, WARM_UP.min(steps))?;
    Ok(trainer)
}

/// What is measured against, with a name for people; nothing for `--alone`.
fn baseline(args: &Bench, config: &Config) -> Result<Option<(String, Config)>, Error> {
    if args.alone {
        return Ok(None);
    }
    if args.against.is_empty() {
        return Ok(Some(("bp on 1 worker".to_owned(), backpropagation(config))));
    }
    let mut layers = args.layers.clone();
    layers.sets.extend(args.against.iter().cloned());
    let other = layers.load(BENCH)?;
    let shared = |config: &Config| (config.settings.data.clone(), config.settings.run.seed);
    if shared(&other) != shared(config) {
        let what = "--against: both sides must see the same batches; leave `data` and `run.seed` as they are";
        return Err(Error::Fit(what.to_owned()));
    }
    let sets = args.against.iter().map(ToString::to_string);
    Ok(Some((sets.collect::<Vec<_>>().join(" "), other)))
}

/// The same work by plain backpropagation on one worker with one thread.
fn backpropagation(config: &Config) -> Config {
    let mut baseline = config.clone();
    baseline.program.method.costs = None;
    let (run, method) = (&mut baseline.settings.run, &mut baseline.settings.method);
    "bp".clone_into(&mut method.name);
    (method.modules, method.order, method.cuts) = (1, None, Cuts::Even);
    (method.program, method.memory_budget) = (None, None);
    (method.micro_batches, method.accumulate) = (1, 1);
    method.batch_compensation = Default::default();
    run.device = run.device.clone().first();
    run.threads_per_worker = 1;
    baseline
}

/// One run of each.
#[derive(Debug, Serialize)]
struct Pair {
    baseline_images_per_second: Option<f64>,
    images_per_second: f64,
    /// The second by the first.
    ratio: Option<f64>,
    busy_shares: Vec<f64>,
    loader_wait_share: f64,
}

impl Pair {
    fn of(a: Option<&Tally>, b: &Tally) -> Self {
        let rate = |tally: &Tally| tally.images_per_second().unwrap_or(0.0);
        let (a_rate, b_rate) = (a.map(rate), rate(b));
        let shares = b.busy_shares().into_iter();
        Self {
            baseline_images_per_second: a_rate,
            images_per_second: b_rate,
            ratio: a_rate.map(|a_rate| b_rate / a_rate),
            busy_shares: shares.map(|share| share.unwrap_or(0.0)).collect(),
            loader_wait_share: b.wait_share().unwrap_or(0.0),
        }
    }

    /// What one of them is called.
    fn word(&self) -> &'static str {
        if self.ratio.is_some() { "pair" } else { "run" }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = rate(self.images_per_second);
        match (self.baseline_images_per_second, self.ratio) {
            (Some(baseline), Some(ratio)) => {
                write!(f, "{} and {own} images/s, ratio {ratio:.3}", rate(baseline))
            }
            _ => write!(f, "{own} images/s"),
        }
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Benchmark {
    dtrp_version: &'static str,
    model: String,
    parameters: usize,
    data: String,
    batch_size: usize,
    method: String,
    order: String,
    modules: usize,
    cuts: Vec<usize>,
    /// What it is measured against, if anything.
    baseline: Option<String>,
    steps: u32,
    pairs: Vec<Pair>,
    ratio: Option<Spread>,
    baseline_images_per_second: Option<Spread>,
    images_per_second: Spread,
    /// Means over the pairs.
    busy_shares: Vec<f64>,
    /// Most bytes of tensors on the GPUs that were used, all together and with the baseline; null without a GPU.
    device_peak_bytes: Option<u64>,
}

/// Least, middle and greatest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let half = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            1 => at(half),
            _ => (at(half.wrapping_sub(1)) + at(half)) / 2.0,
        };
        Self {
            min: at(0),
            median,
            max: at(sorted.len().wrapping_sub(1)),
        }
    }
}

impl Benchmark {
    fn of(b: &Trainer, baseline: Option<String>, steps: u32, pairs: Vec<Pair>) -> Self {
        let settings = b.settings();
        let modules = b.stages().len();
        let busy = |worker: usize| {
            let sum: f64 = pairs.iter().map(|pair| pair.busy_shares[worker]).sum();
            sum / pairs.len().max(1) as f64
        };
        let optional = |number: fn(&Pair) -> Option<f64>| {
            let numbers: Option<Vec<f64>> = pairs.iter().map(number).collect();
            numbers.map(|numbers| Spread::of(numbers.into_iter()))
        };
        Self {
            dtrp_version: env!("CARGO_PKG_VERSION"),
            model: settings.model.name.clone(),
            parameters: b.parameters().iter().sum(),
            data: settings.data.name.clone(),
            batch_size: settings.data.batch_size,
            method: settings.method.name.clone(),
            order: settings
                .method
                .order
                .map_or_else(String::new, |order| order.to_string()),
            modules,
            cuts: b.ranges().iter().skip(1).map(|range| range.start).collect(),
            baseline,
            steps,
            ratio: optional(|pair| pair.ratio),
            baseline_images_per_second: optional(|pair| pair.baseline_images_per_second),
            images_per_second: Spread::of(pairs.iter().map(|pair| pair.images_per_second)),
            busy_shares: (0..modules).map(busy).collect(),
            device_peak_bytes: b.device_peak_bytes(),
            pairs,
        }
    }
}

impl fmt::Display for Benchmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = if self.baseline.is_some() {
            ("pair", "pairs")
        } else {
            ("run", "runs")
        };
        writeln!(
            f,
            "{} with {} parameters on {}, batches of {}, {} steps a run, {}\n",
            self.model,
            thousands(self.parameters as u64),
            self.data,
            self.batch_size,
            self.steps,
            count(self.pairs.len() as u64, one, many),
        )?;
        let ours = format!(
            "{} ({}) on {} workers, cuts {:?}",
            self.method, self.order, self.modules, self.cuts
        );
        let mut table = Table::new(1);
        table.row(["images per second", "min", "median", "max"]);
        let mut row = |what: &str, spread: Spread, told: fn(f64) -> String| {
            let numbers = [spread.min, spread.median, spread.max].map(told);
            table.row([what.to_owned()].into_iter().chain(numbers));
        };
        if let (Some(name), Some(spread)) = (&self.baseline, self.baseline_images_per_second) {
            row(name, spread, rate);
        }
        row(&ours, self.images_per_second, rate);
        if let Some(ratio) = self.ratio {
            row("ratio, pair by pair", ratio, |ratio| format!("{ratio:.3}"));
        }
        let busy: Vec<_> = self.busy_shares.iter().map(|share| percent(Some(*share), 0)).collect();
        writeln!(f, "{table}\nworkers busy: {}", busy.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads() {
        let spread = |numbers: &[f64]| {
            let Spread { min, median, max } = Spread::of(numbers.iter().copied());
            [min, median, max]
        };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), [1.0, 2.0, 3.0]);
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), [1.0, 2.5, 4.0]);
        assert_eq!(spread(&[7.0]), [7.0; 3]);
    }
}
