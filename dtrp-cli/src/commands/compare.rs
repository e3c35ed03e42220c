//! `dtrp compare`: the same training run with a few keys varied, as one table.

use super::runs::{Form, Runs, mean, of_workers};
use crate::cli::Layers;
use crate::error::Error;
use crate::report::{self, bytes, percent, rate};
use clap::Args;
use dtrp_core::schedule::Method;
use serde_json::Value;
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
        match sets.iter().find(|set| !set.contains('=')) {
            Some(set) => Err(format!("`{set}` is not PATH=VALUE")),
            None => Ok(Self {
                name: name.trim().to_owned(),
                sets,
            }),
        }
    }
}

/// Trains all variants and prints the table.
pub(crate) fn run(args: &Compare) -> Result<(), Error> {
    let variants = match args.variants.is_empty() {
        true => every_method(),
        false => args.variants.clone(),
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
        Form::Text => report::table(&rows(&results), 1),
        Form::Markdown => report::markdown(&rows(&results)),
        Form::Json => json(&results)?,
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
            if ["gpipe", "1f1b"].contains(&method.name) {
                sets.push("method.micro_batches=4".to_owned());
                name.push_str(" m=4");
            }
            variants.push(Variant { name, sets });
        }
    }
    variants
}

/// Mean of a number over the seeds; `None` if a run lacks it.
fn over_seeds(summaries: &[Value], number: impl Fn(&Value) -> Option<f64>) -> Option<f64> {
    let numbers = summaries.iter().map(number).collect::<Option<Vec<_>>>()?;
    mean(&numbers)
}

fn rows(results: &[(&str, Vec<Value>)]) -> Vec<Vec<String>> {
    let head = [
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
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, summaries) in results {
        let top = |key: &'static str| over_seeds(summaries, move |s| s[key].as_f64());
        let total = |key| over_seeds(summaries, |s| Some(of_workers(s, key).iter().sum()));
        let most = |key| over_seeds(summaries, |s| of_workers(s, key).into_iter().reduce(f64::max));
        let average = |key| over_seeds(summaries, |s| mean(&of_workers(s, key)));
        let dash = || "-".to_owned();
        rows.push(vec![
            (*name).to_owned(),
            top("modules").map_or_else(dash, |k| k.to_string()),
            percent(top("final_test_accuracy"), 2),
            top("final_train_loss").map_or_else(dash, |loss| format!("{loss:.4}")),
            top("images_per_second").map_or_else(dash, rate),
            percent(average("busy_share"), 0),
            most("staleness_max").map_or_else(dash, |s| s.to_string()),
            total("stored_input_peak_bytes").map_or_else(dash, |b| bytes(b as u64)),
            top("peak_rss_bytes").map_or_else(dash, |b| bytes(b as u64)),
            average("prediction_gain").map_or_else(dash, |gain| format!("{gain:.3}")),
        ]);
    }
    rows
}

fn json(results: &[(&str, Vec<Value>)]) -> Result<String, Error> {
    let variants: Vec<Value> = results
        .iter()
        .map(|(name, runs)| serde_json::json!({ "variant": name, "runs": runs }))
        .collect();
    let text = serde_json::to_string_pretty(&variants).map_err(|error| Error::Bug(error.to_string()))?;
    Ok(text + "\n")
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
        let runs = [serde_json::json!({"x": 1.0}), serde_json::json!({"x": 2.0})];
        assert_eq!(over_seeds(&runs, |s| s["x"].as_f64()), Some(1.5));
        assert_eq!(over_seeds(&runs, |s| s["y"].as_f64()), None);
    }
}
