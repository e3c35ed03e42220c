//! `dtrp compare`: the same training run with a few keys varied, as one table.
//!
//! Every run is a process of its own, so that none inherits another's memory, threads or allocator state.

use crate::error::Error;
use crate::report::{self, bytes, percent, rate};
use clap::{Args, ValueEnum};
use dtrp_core::schedule::Method;
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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
    /// YAML file that all runs share [default: built in]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override a key in all runs
    #[arg(short, long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
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

/// How the table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Markdown,
    /// The variants with all their summaries
    Json,
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
        let (name, sets) = text
            .split_once(':')
            .ok_or("write it as NAME: PATH=VALUE ...")?;
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
    let mut results = Vec::new();
    for variant in &variants {
        let mut summaries = Vec::new();
        for seed in 1..=args.seeds {
            tracing::info!("{}, seed {seed}", variant.name);
            summaries.push(train(args, variant, seed)?);
        }
        results.push((variant.name.as_str(), summaries));
    }
    report::print(&match args.format {
        Form::Text => report::table(&rows(&results), 1),
        Form::Markdown => markdown(&rows(&results)),
        Form::Json => json(&results)?,
    });
    Ok(())
}

/// Every method that this configuration can train, in each order; those with micro-batches that need them, with four.
fn every_method() -> Vec<Variant> {
    let mut variants = Vec::new();
    for method in Method::all() {
        for order in method.orders {
            let mut sets = vec![
                format!("method.name={}", method.name),
                format!("method.order={order}"),
            ];
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

/// Trains one variant with one seed in a process of its own, and reads its summary.
fn train(args: &Compare, variant: &Variant, seed: u64) -> Result<Value, Error> {
    let program = std::env::current_exe().map_err(|source| Error::File {
        path: "dtrp".into(),
        action: "find",
        source,
    })?;
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let name: String = variant.name.chars().map(plain).collect();
    let name = format!("{name}-seed{seed}");
    let mut command = Command::new(&program);
    command.args(["--quiet", "train"]);
    if let Some(config) = &args.config {
        command.arg("--config").arg(config);
    }
    for set in args.sets.iter().chain(&variant.sets) {
        command.args(["--set", set]);
    }
    command.arg("--set").arg(format!("run.seed={seed}"));
    command
        .arg("--set")
        .arg(format!("run.dir={}", args.dir.display()));
    command.args(["--set", "run.progress=none", "--name", &name]);
    let status = command
        .stdout(Stdio::null())
        .status()
        .map_err(|source| Error::File {
            path: program,
            action: "run",
            source,
        })?;
    if !status.success() {
        // The run has said why on stderr.
        return Err(Error::Variant {
            name: variant.name.clone(),
            code: status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
        });
    }
    read_summary(&args.dir.join(name).join("summary.json"))
}

fn read_summary(path: &Path) -> Result<Value, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    serde_json::from_str(&text).map_err(|error| Error::Bug(format!("{}: {error}", path.display())))
}

/// Mean of a number over the seeds; `None` if a run lacks it.
fn mean(summaries: &[Value], number: impl Fn(&Value) -> Option<f64>) -> Option<f64> {
    let numbers = summaries.iter().map(number).collect::<Option<Vec<_>>>()?;
    Some(numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// A number of all workers that have it.
fn of_workers(summary: &Value, key: &str) -> Vec<f64> {
    let workers = summary["workers"].as_array();
    workers
        .into_iter()
        .flatten()
        .filter_map(|worker| worker[key].as_f64())
        .collect()
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
        let top = |key: &'static str| mean(summaries, move |s| s[key].as_f64());
        let total = |key| mean(summaries, |s| Some(of_workers(s, key).iter().sum()));
        let most = |key| {
            mean(summaries, |s| {
                of_workers(s, key).into_iter().reduce(f64::max)
            })
        };
        let average = |key| {
            mean(summaries, |s| {
                let values = of_workers(s, key);
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            })
        };
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

fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|---|{}", "--:|".repeat(row.len() - 1));
        }
    }
    text
}

fn json(results: &[(&str, Vec<Value>)]) -> Result<String, Error> {
    let variants: Vec<Value> = results
        .iter()
        .map(|(name, runs)| serde_json::json!({ "variant": name, "runs": runs }))
        .collect();
    let text =
        serde_json::to_string_pretty(&variants).map_err(|error| Error::Bug(error.to_string()))?;
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_a_name_and_keys() {
        let variant: Variant = "eager m=4: method.order=eager method.micro_batches=4"
            .parse()
            .unwrap();
        assert_eq!(variant.name, "eager m=4");
        assert_eq!(
            variant.sets,
            ["method.order=eager", "method.micro_batches=4"]
        );
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
        assert_eq!(mean(&runs, |s| s["x"].as_f64()), Some(1.5));
        assert_eq!(mean(&runs, |s| s["y"].as_f64()), None);
    }
}
