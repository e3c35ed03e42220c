//! `dtrp gpu-check`: whether runs on a GPU compute what runs on the CPU compute.
//!
//! Everything happens in one process, since starting CUDA takes longer than a check. Each check is a line: `ok`, `FAILED`, or
//! `skipped` with the reason. With `--device cpu` the CPU is compared with itself, which tries out the checks.

mod place;
mod plugins;
mod steady;
mod weights;

use crate::error::Error;
use crate::report;
use crate::run::write_atomically;
use clap::Args;
use place::Place;
use serde::Serialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// `dtrp gpu-check`
#[derive(Debug, Args)]
pub(crate) struct GpuCheck {
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

/// What a check does.
type Body = dyn Fn(&Place) -> Result<Outcome, Error>;

/// A check with its name.
struct Check {
    name: String,
    run: Box<Body>,
}

impl Check {
    fn new(name: impl Into<String>, run: impl Fn(&Place) -> Result<Outcome, Error> + 'static) -> Self {
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

/// Runs the checks and prints a line for each.
pub(crate) fn run(args: &GpuCheck) -> Result<(), Error> {
    let place = Place::new(&args.device)?;
    let checks = [
        weights::checks(),
        plugins::checks(args.host_plugin.clone(), args.device_plugin.clone()),
        steady::checks(),
    ];
    let checks = checks.into_iter().flatten();
    let checks = checks.filter(|check| check.name.contains(&args.only));
    if args.list {
        checks.for_each(|check| report::print(&format!("{}\n", check.name)));
        return Ok(());
    }
    let unavailable = place.why_unavailable();
    let (start, limit) = (Instant::now(), Duration::from_secs(args.seconds));
    let mut lines = Vec::new();
    for check in checks {
        let outcome = match &unavailable {
            Some(why) => Outcome::Skipped(why.clone()),
            None if start.elapsed() > limit => Outcome::Skipped("out of time".to_owned()),
            None => match (check.run)(&place) {
                Err(Error::Interrupted(place)) => return Err(Error::Interrupted(place)),
                Err(error) => Outcome::Failed(error.to_string()),
                Ok(outcome) => outcome,
            },
        };
        let line = Line {
            name: check.name,
            outcome,
        };
        report::print(&line.told());
        lines.push(line);
    }
    let count = |wanted: fn(&Outcome) -> bool| lines.iter().filter(|l| wanted(&l.outcome)).count();
    let failed = count(|o| matches!(o, Outcome::Failed(_)));
    report::print(&format!(
        "{} ok, {failed} failed, {} skipped\n",
        count(|o| matches!(o, Outcome::Ok(_))),
        count(|o| matches!(o, Outcome::Skipped(_))),
    ));
    if let Some(path) = &args.json {
        let results = Results {
            dtrp_version: env!("CARGO_PKG_VERSION"),
            device: args.device.clone(),
            checks: lines,
        };
        let text = serde_json::to_string_pretty(&results).map_err(|e| Error::Bug(e.to_string()))?;
        write_atomically(path, &(text + "\n"))?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(Error::Unhealthy(format!("{failed} checks have failed"))),
    }
}

impl Line {
    fn told(&self) -> String {
        let name = &self.name;
        match &self.outcome {
            Outcome::Ok(what) if what.is_empty() => format!("ok {name}\n"),
            Outcome::Ok(what) => format!("ok {name} ({what})\n"),
            Outcome::Failed(what) => format!("FAILED {name}: {what}\n"),
            Outcome::Skipped(why) => format!("skipped: {why}: {name}\n"),
        }
    }
}
