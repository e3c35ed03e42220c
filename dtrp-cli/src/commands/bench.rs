//! `dtrp bench`: a method against plain backpropagation, or against another configuration, measured in pairs.
//!
//! A is `bp` with the whole network as one module on one worker with one thread, unless other keys are given; B is the
//! method as configured. Both
//! train the same network on the same batches in the same process, A and B in turn, so that whatever else the machine
//! does falls on both. Filling and draining the pipeline is part of every run.

use crate::cli;
use crate::config::{BENCH, Config, CutsAt};
use crate::error::Error;
use crate::progress;
use crate::report;
use crate::train::{Data, Stop, Tally, Trainer, place_cuts};
use dtrp_core::schedule::Program;
use serde::Serialize;
use std::fmt::Write;

/// Steps of the first run of each, which is not measured: memory is allocated, kernels are chosen.
const WARM_UP: u32 = 5;

/// Measures, and prints what came of it.
pub(crate) fn run(args: &cli::Bench) -> Result<(), Error> {
    let mut config = args.layers.load(BENCH)?;
    tch::set_num_threads(config.run.threads_per_worker.into());
    let mut other = baseline(args, &config)?;
    for config in other.iter().map(|(_, other)| other).chain([&config]) {
        if config.method.batch_compensation.fill {
            let what = "method.batch_compensation.fill changes the batches, and a benchmark needs the same ones on both sides; take `dtrp compare`";
            return Err(Error::Fit(what.to_owned()));
        }
    }
    let data = Data::open(&config)?;
    let per_epoch = data.train.batches_per_epoch();
    if (args.steps as usize) > per_epoch {
        return Err(Error::Fit(format!(
            "--steps {} is more than the {per_epoch} batches of the data; take a smaller data.batch_size or more samples",
            args.steps
        )));
    }
    let stop = Stop::at_signals()?;
    let side = |config: &mut Config| {
        if config.method.batch_compensation.balance {
            config.method.cuts = CutsAt::Auto;
        }
        place_cuts(config, &data, &stop)?;
        let mut side = Side::new(config, &data, args.steps)?;
        let warm_up = side.trainer.program(WARM_UP.min(args.steps))?;
        side.run(&warm_up, &data, 0, &stop)?;
        Ok::<_, Error>(side)
    };
    let mut a = other.as_mut().map(|(_, config)| side(config)).transpose()?;
    let mut b = side(&mut config)?;
    let mut pairs = Vec::new();
    for number in 0..args.pairs {
        // Both see the same epoch, that is the same batches in the same order.
        let epoch = u64::from(number) + 1;
        let a = a.as_mut().map(|a| a.measure(&data, epoch, &stop));
        let pair = Pair::of(a.transpose()?.as_ref(), &b.measure(&data, epoch, &stop)?);
        progress::line(&pair.told(number + 1, args.pairs));
        pairs.push(pair);
    }
    let name = other.map(|(name, _)| name);
    let result = Outcome::of(&config, &b, name, args.steps, pairs);
    if args.json {
        let text = serde_json::to_string_pretty(&result).map_err(|e| Error::Bug(e.to_string()))?;
        report::print(&(text + "\n"));
    } else {
        report::print(&result.told());
    }
    Ok(())
}

/// What is measured against, with a name for people; nothing for `--alone`.
fn baseline(args: &cli::Bench, config: &Config) -> Result<Option<(String, Config)>, Error> {
    if args.alone {
        return Ok(None);
    }
    if args.against.is_empty() {
        return Ok(Some(("bp on 1 worker".to_owned(), backpropagation(config))));
    }
    let mut layers = args.layers.clone();
    layers.sets.extend(args.against.iter().cloned());
    let other = layers.load(BENCH)?;
    if (&other.data, other.run.seed) != (&config.data, config.run.seed) {
        let what = "--against: both sides must see the same batches; leave `data` and `run.seed` as they are";
        return Err(Error::Fit(what.to_owned()));
    }
    let sets = args.against.iter().map(ToString::to_string);
    Ok(Some((sets.collect::<Vec<_>>().join(" "), other)))
}

/// The same work by plain backpropagation on one worker with one thread.
fn backpropagation(config: &Config) -> Config {
    let mut baseline = config.clone();
    let method = &mut baseline.method;
    "bp".clone_into(&mut method.name);
    (method.modules, method.order, method.cuts) = (1, None, CutsAt::Even);
    (method.costs, method.memory_budget) = (None, None);
    (method.micro_batches, method.accumulate) = (1, 1);
    method.batch_compensation = Default::default();
    baseline.run.device.0.truncate(1);
    baseline.run.threads_per_worker = 1;
    baseline
}

/// One of the two that are compared.
struct Side {
    trainer: Trainer,
    program: Program,
    done: u64,
}

impl Side {
    fn new(config: &Config, data: &Data, steps: u32) -> Result<Self, Error> {
        let trainer = Trainer::new(config, data)?;
        Ok(Self {
            program: trainer.program(steps)?,
            trainer,
            done: 0,
        })
    }

    /// For each cut the number of blocks below it.
    fn cuts(&self) -> Vec<usize> {
        let sizes = self.trainer.stages().iter();
        let ends = sizes.scan(0, |end, stage| {
            *end += stage.module().block_names().count();
            Some(*end)
        });
        ends.take(self.trainer.stages().len() - 1).collect()
    }

    fn measure(&mut self, data: &Data, epoch: u64, stop: &Stop) -> Result<Tally, Error> {
        let program = self.program.clone();
        self.run(&program, data, epoch, stop)
    }

    fn run(&mut self, program: &Program, data: &Data, epoch: u64, stop: &Stop) -> Result<Tally, Error> {
        let source = self.trainer.source(data, epoch, 0, stop)?;
        let waited = source.waited();
        let outcome = match self.trainer.run(program, self.done, source) {
            Ok(outcome) => outcome,
            Err(_) if stop.requested() => return Err(Error::Interrupted(String::new())),
            Err(error) => return Err(self.trainer.explain_run(error)),
        };
        self.done += u64::from(program.batches);
        let images = data.sizes().up_to(program.batches as usize) as u64;
        Ok(Tally::of(&outcome, images, waited.get()))
    }
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

    fn told(&self, number: u32, of: u32) -> String {
        let rate = report::rate(self.images_per_second);
        match (self.baseline_images_per_second, self.ratio) {
            (Some(baseline), Some(ratio)) => {
                let baseline = report::rate(baseline);
                format!("pair {number}/{of}: {baseline} and {rate} images/s, ratio {ratio:.3}")
            }
            _ => format!("run {number}/{of}: {rate} images/s"),
        }
    }
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Outcome {
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

impl Outcome {
    fn of(config: &Config, b: &Side, baseline: Option<String>, steps: u32, pairs: Vec<Pair>) -> Self {
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
            model: config.model.name.clone(),
            parameters: b.trainer.parameters().iter().sum(),
            data: config.data.name.clone(),
            batch_size: config.data.batch_size,
            method: config.method.name.clone(),
            order: config.method.order.clone().unwrap_or_default(),
            modules: config.method.modules,
            cuts: b.cuts(),
            baseline,
            steps,
            ratio: optional(|pair| pair.ratio),
            baseline_images_per_second: optional(|pair| pair.baseline_images_per_second),
            images_per_second: Spread::of(pairs.iter().map(|pair| pair.images_per_second)),
            busy_shares: (0..config.method.modules).map(busy).collect(),
            device_peak_bytes: b.trainer.device_peak_bytes(),
            pairs,
        }
    }

    fn told(&self) -> String {
        let mut text = format!(
            "{} with {} parameters on {}, batches of {}, {} steps a run, {}\n\n",
            self.model,
            report::thousands(self.parameters as u64),
            self.data,
            self.batch_size,
            self.steps,
            report::count(
                self.pairs.len() as u64,
                if self.baseline.is_some() { "pair" } else { "run" },
                if self.baseline.is_some() { "pairs" } else { "runs" },
            ),
        );
        let ours = format!(
            "{} ({}) on {} workers, cuts {:?}",
            self.method, self.order, self.modules, self.cuts
        );
        let head = ["images per second", "min", "median", "max"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        let mut row = |what: &str, spread: Spread, told: fn(f64) -> String| {
            let numbers = [spread.min, spread.median, spread.max].map(told);
            rows.push([what.to_owned()].into_iter().chain(numbers).collect());
        };
        if let (Some(name), Some(spread)) = (&self.baseline, self.baseline_images_per_second) {
            row(name, spread, report::rate);
        }
        row(&ours, self.images_per_second, report::rate);
        if let Some(ratio) = self.ratio {
            row("ratio, pair by pair", ratio, |ratio| format!("{ratio:.3}"));
        }
        text.push_str(&report::table(&rows, 1));
        let busy: Vec<_> = self.busy_shares.iter().map(|b| report::percent(Some(*b), 0)).collect();
        let _ = writeln!(text, "\nworkers busy: {}", busy.join(", "));
        text
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
