//! Whether runs on a GPU compute what runs on the CPU compute.
//!
//! Everything happens in one process, since starting CUDA takes longer than a check. Each check is a line: `ok`, `FAILED`, or
//! `skipped` with the reason. With `--device cpu` the CPU is compared with itself, which tries out the checks. The exit code is
//! 1 if a check has failed, and where there is no such device everything is skipped.

mod place;
mod plugins;
mod steady;
mod weights;

use clap::Parser;
use dtrp_train::BoxError;
use place::Place;
use serde::Serialize;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Compares runs on a GPU with runs on the CPU
#[derive(Debug, Parser)]
#[command(name = "dtrp-gpu-check", version)]
struct Args {
    /// The device that is checked against the CPU
    #[arg(long, default_value = "cuda:0")]
    device: String,
    /// Only the checks whose names contain this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Print the names of the checks and do none
    #[arg(long)]
    list: bool,
    /// Skip what has not begun after so many seconds
    #[arg(long, value_name = "S", default_value_t = 600)]
    seconds: u64,
    /// A plug-in with a custom predictor for host memory
    #[arg(long, value_name = "FILE")]
    host_plugin: Option<PathBuf>,
    /// The same rule for device memory
    #[arg(long, value_name = "FILE")]
    device_plugin: Option<PathBuf>,
    /// Write the results here, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "outcome", content = "detail")]
enum Outcome {
    /// With what was measured.
    Ok(String),
    /// With what is wrong.
    Failed(String),
    /// With the reason.
    Skipped(String),
}

impl Outcome {
    /// Well or not, with what was found.
    fn of(is_well: bool, found: String) -> Self {
        if is_well { Self::Ok(found) } else { Self::Failed(found) }
    }
}

/// What a check does.
type Body = dyn Fn(&Place) -> Result<Outcome, BoxError>;

/// A check with its name.
struct Check {
    name: String,
    run: Box<Body>,
}

impl Check {
    fn new(name: impl Into<String>, run: impl Fn(&Place) -> Result<Outcome, BoxError> + 'static) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

/// A line of the results.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    #[serde(flatten)]
    outcome: Outcome,
}

/// All results.
#[derive(Debug, Serialize)]
struct Results {
    dtrp_version: &'static str,
    device: String,
    checks: Vec<Line>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("error: {failed} checks have failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the checks, prints a line for each, and gives the number of those that have failed.
fn run(args: &Args) -> Result<usize, BoxError> {
    let mut out = std::io::stdout();
    let checks = [
        weights::checks(),
        plugins::checks(args.host_plugin.clone(), args.device_plugin.clone()),
        steady::checks(),
    ];
    let checks = checks.into_iter().flatten();
    let checks = checks.filter(|check| check.name.contains(&args.only));
    if args.list {
        for check in checks {
            writeln!(out, "{}", check.name)?;
        }
        return Ok(0);
    }
    let place = Place::new(&args.device);
    let unavailable = place.why_unavailable();
    let (start, limit) = (Instant::now(), Duration::from_secs(args.seconds));
    let mut lines = Vec::new();
    for Check { name, run } in checks {
        let outcome = match &unavailable {
            Some(why) => Outcome::Skipped(why.clone()),
            None if start.elapsed() > limit => Outcome::Skipped("out of time".to_owned()),
            None => run(&place).unwrap_or_else(|error| Outcome::Failed(error.to_string())),
        };
        let line = Line { name, outcome };
        writeln!(out, "{line}")?;
        lines.push(line);
    }
    let count = |wanted: fn(&Outcome) -> bool| lines.iter().filter(|line| wanted(&line.outcome)).count();
    let ok = count(|outcome| matches!(outcome, Outcome::Ok(_)));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    writeln!(out, "{ok} ok, {failed} failed, {} skipped", lines.len() - ok - failed)?;
    if let Some(path) = &args.json {
        let results = Results {
            dtrp_version: env!("CARGO_PKG_VERSION"),
            device: args.device.clone(),
            checks: lines,
        };
        std::fs::write(path, dtrp_text::to_json(&results)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(failed)
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.outcome {
            Outcome::Ok(what) if what.is_empty() => write!(f, "ok {name}"),
            Outcome::Ok(what) => write!(f, "ok {name} ({what})"),
            Outcome::Failed(what) => write!(f, "FAILED {name}: {what}"),
            Outcome::Skipped(why) => write!(f, "skipped: {why}: {name}"),
        }
    }
}
