//! `dtrp lr-find`: the learning-rate range test.

use super::runs::Form;
use super::training::{at_its_key, training};
use crate::config::{DIGITS, Layers};
use crate::error::{EXIT_CODES, Error};
use crate::output;
use crate::stop;
use clap::Args;
use dtrp_text::units::count;
use dtrp_text::{Table, to_json};
use dtrp_train::{RangeEnd, RateCurve, RatePoint, RateRange};
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  dtrp lr-find
      for the run that `dtrp train` would make
  dtrp lr-find --config run.yaml --set method.modules=4 --from 1e-5 --to 1 --steps 200
      closer, and with four modules
  dtrp lr-find --set optimizer.name=adamw --format json
      every batch, for programs

The network is trained from its start weights, with the method that is configured, while the learning rate grows by the same
factor at every update. The test ends where the smoothed loss is four times its minimum. Nothing is kept.";

/// `dtrp lr-find`
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct LrFind {
    #[command(flatten)]
    layers: Layers,
    /// The first rate
    #[arg(long, value_name = "RATE", default_value_t = RateRange::default().from)]
    from: f64,
    /// The last rate
    #[arg(long, value_name = "RATE", default_value_t = RateRange::default().to)]
    to: f64,
    /// Updates from the one to the other
    #[arg(long, value_name = "N", default_value_t = RateRange::default().steps, value_parser = clap::value_parser!(u64).range(20..=1_000_000))]
    steps: u64,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// Trains at growing rates, and prints the curve and what may be read from it.
pub(super) fn run(args: &LrFind) -> Result<(), Error> {
    let config = args.layers.load(DIGITS)?;
    let range = RateRange {
        from: args.from,
        to: args.to,
        steps: args.steps,
    };
    let curve = training(&config, &stop::at_signals()?)?.find_rate(range);
    let curve = curve.map_err(|error| at_its_key(&config, error))?;
    match args.format {
        Form::Text => output::print(&text(&curve, false)),
        Form::Markdown => output::print(&text(&curve, true)),
        Form::Json => output::print(&to_json(&json!({
            "end": curve.end,
            "steepest": curve.steepest(),
            "minimum": curve.minimum(),
            "tenth_of_minimum": curve.tenth_of_minimum(),
            "advice": advice(&curve),
            "points": curve.points,
        }))),
    }
}

/// Lines of the printed curve, at most.
const LINES: usize = 30;

/// Characters of the longest bar.
const BAR: f64 = 40.0;

fn text(curve: &RateCurve, markdown: bool) -> String {
    let mut table = Table::new(0);
    table.row(["learning rate", "loss", "smoothed", ""]);
    let smoothed = curve.points.iter().map(|point| point.smoothed);
    let lowest = smoothed.clone().fold(f64::INFINITY, f64::min);
    // What exploded must not flatten all the rest.
    let first = curve.points.first().map_or(1.0, |point| point.smoothed);
    let highest = smoothed.fold(first, f64::max).min(1.5 * first);
    let share = |point: &RatePoint| ((point.smoothed - lowest) / (highest - lowest).max(1e-12)).clamp(0.0, 1.0);
    let every = curve.points.len().div_ceil(LINES).max(1);
    let mut lines: Vec<_> = curve.points.iter().step_by(every).collect();
    if !(curve.points.len().max(1) - 1).is_multiple_of(every) {
        lines.extend(curve.points.last());
    }
    for point in lines {
        table.row([
            format!("{:.2e}", point.lr),
            format!("{:.4}", point.loss),
            format!("{:.4}", point.smoothed),
            format!(
                "{:<width$}",
                "#".repeat((BAR * share(point)).round() as usize),
                width = BAR as usize
            ),
        ]);
    }
    if markdown {
        return format!("{}\n{}\n", table.markdown(), advice(curve));
    }
    let lines: Vec<_> = table
        .to_string()
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    format!("{}\n\n{}\n", lines.join("\n"), output::wrapped(&advice(curve)))
}

/// What the curve says, a line for each thing.
fn advice(curve: &RateCurve) -> String {
    let batches = count(curve.points.len() as u64, "batch", "batches");
    let end = match curve.end {
        RangeEnd::Exploded => format!("ended after {batches}: the smoothed loss was four times its minimum"),
        RangeEnd::Diverged => format!("ended after {batches}: the loss was no longer a finite number"),
        RangeEnd::Finished => format!("ended after {batches}, at the last rate"),
    };
    let mut lines = vec![end];
    if let Some(rate) = curve.steepest() {
        lines.push(format!(
            "{rate:.1e}: there the smoothed loss falls fastest (a rate at which every step teaches much)"
        ));
    }
    if let (Some(minimum), Some(rate)) = (curve.minimum(), curve.tenth_of_minimum()) {
        lines.push(format!(
            "{rate:.1e}: a tenth of {minimum:.1e}, at which the smoothed loss is lowest and about to rise"
        ));
    }
    match curve.steepest() {
        None if !curve.falls() => lines.push(
            "no suggestion: the loss fell by less than a twentieth at any rate; try another range (--from, --to), more --steps, or \
             see whether the network learns at all"
                .to_owned(),
        ),
        None => lines.push("no suggestion: the loss falls nowhere steadily; try more --steps or larger batches".to_owned()),
        Some(_) if curve.falls_at_the_end() => {
            lines.push("the loss was still falling at the last rate: a larger --to would show more".to_owned());
        }
        Some(rate) => lines.push(format!("suggestion: optimizer.lr={}", suggested(curve.tenth_of_minimum(), rate))),
    }
    lines.join("\n")
}

/// The smaller of the two, to one digit: what is too large does harm, what is too small only takes longer.
fn suggested(tenth: Option<f64>, steepest: f64) -> f64 {
    let rate = tenth.map_or(steepest, |tenth| tenth.min(steepest));
    format!("{rate:.0e}").parse().unwrap_or(rate)
}
