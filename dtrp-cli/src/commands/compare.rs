//! `dtrp compare`: the same training run with a few keys varied, as one table.

use super::runs::{Form, Runs, mean, of_workers};
use crate::config::Layers;
use crate::error::Error;
use crate::report;
use clap::Args;
use dtrp_core::schedule::Method;
use dtrp_text::units::{bytes, percent, rate};
use dtrp_text::{Table, to_json};
use dtrp_train::{Summary, WorkerSummary};
use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;

const EXAMPLES: &str = "\
Examples:
  dtrp compare
      every method in each of its orders, on the digits
  dtrp compare --variant 'bp: method.name=bp' --variant 'dtrp: method.name=dtrp method.modules=2' --seeds 3
      two variants, the mean over three seeds
  dtrp compare --config configs/cifar10-resnet20-dtrp-k4.yaml --set run.epochs=4 --format markdown \\
               --variant 'lockstep: method.order=lockstep' --variant 'eager: method.order=eager'
      two orders on CIFAR-10, as a table for a page";

/// `dtrp compare`
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Compare {
    #[command(flatten)]
    layers: Layers,
    /// A run: a name, and the keys that it sets [default: every method in each of its orders]
    #[arg(long = "variant", value_name = "NAME: PATH=VALUE ...")]
    variants: Vec<Variant>,
    /// Train every variant with so many seeds, and show the mean
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Where the runs' folders go
    #[arg(long, default_value = "runs/compare")]
    dir: PathBuf,
    /// How to print the table
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// A name and the keys that it sets.
#[derive(Debug, Clone)]
struct Variant {
    name: String,
    sets: Vec<String>,
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, sets) = text.split_once(':').ok_or("write it as NAME: PATH=VALUE ...")?;
        let sets: Vec<String> = sets.split_whitespace().map(str::to_owned).collect();
        if let Some(set) = sets.iter().find(|set| !set.contains('=')) {
            return Err(format!("`{set}` is not PATH=VALUE"));
        }
        Ok(Self {
            name: name.trim().to_owned(),
            sets,
        })
    }
}

/// Trains all variants and prints the table.
pub(super) fn run(args: &Compare) -> Result<(), Error> {
    let variants = if args.variants.is_empty() {
        every_method()
    } else {
        args.variants.clone()
    };
    let runs = Runs::new(&args.layers, &args.dir)?;
    let mut results = Vec::new();
    for variant in &variants {
        let mut summaries = Vec::new();
        for seed in 1..=args.seeds {
            tracing::info!("{}, seed {seed}", variant.name);
            let name = format!("{}-seed{seed}", variant.name);
            let mut sets = variant.sets.clone();
            sets.push(format!("run.seed={seed}"));
            summaries.push(runs.train(&name, &sets)?.summary);
        }
        results.push((variant.name.as_str(), summaries));
    }
    report::print(&match args.format {
        Form::Text => table(&results).to_string(),
        Form::Markdown => table(&results).markdown(),
        Form::Json => json(&results),
    });
    Ok(())
}

/// Every method that this configuration can train, in each order; those with micro-batches that need them, with four.
fn every_method() -> Vec<Variant> {
    let mut variants = Vec::new();
    for method in Method::all() {
        for order in method.orders {
            let mut sets = vec![format!("method.name={}", method.name), format!("method.order={order}")];
            let mut name = method.name.to_owned();
            if method.orders.len() > 1 {
                let _ = write!(name, " {order}");
            }
            if method.flushes {
                sets.push("method.micro_batches=4".to_owned());
                name.push_str(" m=4");
            }
            variants.push(Variant { name, sets });
        }
    }
    variants
}

/// Mean of a number over the seeds; `None` if a run lacks it.
fn over_seeds<T>(runs: &[T], number: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let numbers = runs.iter().map(number).collect::<Option<Vec<_>>>()?;
    mean(&numbers)
}

fn table(results: &[(&str, Vec<Summary>)]) -> Table {
    let mut table = Table::new(1);
    table.row([
        "variant",
        "K",
        "test accuracy",
        "train loss",
        "images/s",
        "busy",
        "staleness",
        "stored inputs",
        "peak memory",
        "prediction error",
    ]);
    for (name, summaries) in results {
        let top = |number: fn(&Summary) -> Option<f64>| over_seeds(summaries, number);
        let workers = |number: fn(&WorkerSummary) -> Option<f64>, together: fn(&[f64]) -> Option<f64>| {
            over_seeds(summaries, |summary| together(&of_workers(summary, number)))
        };
        let most = |numbers: &[f64]| numbers.iter().copied().reduce(f64::max);
        let sum = |numbers: &[f64]| Some(numbers.iter().sum());
        let dash = || "-".to_owned();
        table.row([
            (*name).to_owned(),
            top(|s| Some(s.modules as f64)).map_or_else(dash, |k| k.to_string()),
            percent(top(|s| s.final_test_accuracy), 2),
            top(|s| s.final_train_loss).map_or_else(dash, |loss| format!("{loss:.4}")),
            top(|s| s.images_per_second).map_or_else(dash, rate),
            percent(workers(|w| w.busy_share, mean), 0),
            workers(|w| Some(w.staleness_max.into()), most).map_or_else(dash, |s| s.to_string()),
            workers(|w| Some(w.stored_input_peak_bytes as f64), sum).map_or_else(dash, |b| bytes(b as u64)),
            top(|s| s.peak_rss_bytes.map(|b| b as f64)).map_or_else(dash, |b| bytes(b as u64)),
            workers(|w| w.prediction_gain, mean).map_or_else(dash, |gain| format!("{gain:.3}")),
        ]);
    }
    table
}

fn json(results: &[(&str, Vec<Summary>)]) -> String {
    let variants = results.iter();
    let variants = variants.map(|(name, runs)| serde_json::json!({ "variant": name, "runs": runs }));
    to_json(&variants.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_a_name_and_keys() {
        let variant: Variant = "eager m=4: method.order=eager method.micro_batches=4".parse().unwrap();
        assert_eq!(variant.name, "eager m=4");
        assert_eq!(variant.sets, ["method.order=eager", "method.micro_batches=4"]);
        assert!("eager".parse::<Variant>().is_err());
        assert!(
            "eager: method.order"
                .parse::<Variant>()
                .unwrap_err()
                .contains("PATH=VALUE")
        );
    }

    #[test]
    fn means_need_every_run() {
        let runs = [(1.0, Some(3.0)), (2.0, None)];
        assert_eq!(over_seeds(&runs, |run| Some(run.0)), Some(1.5));
        assert_eq!(over_seeds(&runs, |run| run.1), None);
    }
}
