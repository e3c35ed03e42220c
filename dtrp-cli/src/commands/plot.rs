//! `dtrp plot`: one figure of one or many runs.

use crate::error::Error;
use crate::figures::{Figure, What, busy, curves_of, gain, gantt, memory};
use crate::history::{Axis, Given, Group, History, groups};
use crate::output;
use clap::Args;
use std::path::{Path, PathBuf};
use std::str::FromStr;

const EXAMPLES: &str = "\
Examples:
  dtrp plot runs/a runs/b --what accuracy -o accuracy.svg
      test accuracy by epoch; runs that differ in their seed alone are one curve with a band of one deviation
  dtrp plot 'plain=runs/bp' 'ours=runs/dtrp' --what loss --by seconds --log -o loss.png
      train loss over time, with names for the legend
  dtrp plot runs/a --what gantt -o gantt.svg
      some batches of a run with `run.trace: timed`, and what the simulator makes of its program";

/// `dtrp plot`
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Plot {
    /// Folders of runs, or NAME=FOLDER with a name for the legend
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<Given>,
    /// What it shows: loss, test-loss, accuracy, rate (images per second), lr, gantt, busy, memory, gain
    #[arg(long, default_value = "loss", hide_possible_values = true)]
    what: What,
    /// The file, with .svg or .png at its end; `-` is SVG on stdout
    #[arg(short, long, value_name = "FILE")]
    output: Target,
    /// What the horizontal axis of a curve is: step, epoch, seconds [default: step for loss and lr, else epoch]
    #[arg(long)]
    by: Option<Axis>,
    /// A logarithmic vertical axis, for curves
    #[arg(long)]
    log: bool,
    /// A line over the figure
    #[arg(long)]
    title: Option<String>,
    /// Width in pixels; text is 12 to 16 pixels high
    #[arg(long, default_value_t = 640, value_parser = clap::value_parser!(u32).range(200..=8000))]
    width: u32,
    /// Height in pixels [default: what suits the figure]
    #[arg(long, value_parser = clap::value_parser!(u32).range(120..=8000))]
    height: Option<u32>,
    /// Points of a PNG for each pixel, so that it is sharp in print
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4))]
    scale: u32,
}

/// Where a figure goes, and in which form.
#[derive(Debug, Clone)]
enum Target {
    Stdout,
    Svg(PathBuf),
    Png(PathBuf),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        let path = crate::config::expanded(Path::new(text))?;
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("svg") => Ok(Self::Svg(path)),
            Some("png") => Ok(Self::Png(path)),
            _ => Err("expected a file with .svg or .png at its end, or - for SVG on stdout".to_owned()),
        }
    }
}

/// Draws the figure.
pub(super) fn run(args: &Plot) -> Result<(), Error> {
    let runs = History::read_all(&args.runs)?;
    let figure = figure(args, &groups(&runs))?.titled(args.title.as_deref());
    let height = args.height.unwrap_or_else(|| figure.usual_height(args.width));
    let size = (args.width, height);
    match &args.output {
        Target::Stdout => output::print(&figure.svg(size, true)?.0),
        Target::Svg(path) => output::write_file(path, figure.svg(size, true)?.0),
        Target::Png(path) => output::write_file(path, figure.png(size, args.scale)?),
    }
}

fn figure(args: &Plot, groups: &[Group<'_>]) -> Result<Figure, Error> {
    let what = args.what;
    let missing = |why: &str| Err(Error::BadData(format!("--what {what}: nothing to draw: {why}")));
    if let Some(curves) = curves_of(groups, what, args.by, args.log) {
        if curves.is_empty() {
            return missing("the runs have not come so far yet");
        }
        return Ok(Figure::Curves(curves));
    }
    match what {
        What::Gain => {
            let curves = gain(groups, args.by, args.log);
            if curves.is_empty() {
                return missing("no module of the runs predicts its weights, or no epoch has ended yet");
            }
            Ok(Figure::Curves(curves))
        }
        What::Busy => {
            let bars = busy(groups);
            if bars.is_empty() {
                return missing("no epoch of the runs has ended yet");
            }
            Ok(Figure::Bars(bars))
        }
        What::Memory => {
            let bars = memory(groups);
            if bars.is_empty() {
                return missing("what workers hold is known when a run has ended");
            }
            Ok(Figure::Bars(bars))
        }
        _ => {
            let [one] = groups else {
                return Err(Error::Fit(format!("--what {what} shows one run: give one")));
            };
            match gantt(one.first()) {
                Some((figure, said)) => {
                    tracing::info!("{said}");
                    Ok(Figure::Gantt(figure))
                }
                None => missing("the run has no times of its actions; train it with `run.trace: timed`"),
            }
        }
    }
}
