//! `dtrp report`: a page about one or many runs.

use crate::error::Error;
use crate::history::{Given, History, groups};
use crate::output;
use crate::page::{Answers, body, title, whole};
use clap::Args;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  dtrp report runs/digits-resnet-cifar-dtrp-k2 -o report.html
      everything about one run
  dtrp report runs/compare/* -o report.html
      many: those that differ in their seed alone are one curve with a band
  dtrp report 'plain=runs/bp' 'ours=runs/dtrp' --no-evaluation -o - > report.html
      with names of one's own, and without evaluating the weights on the test set";

/// Of a page that has not been evaluated.
pub(super) const NOT_EVALUATED: &str = "The weights were not evaluated, as --no-evaluation was given.";

/// `dtrp report`
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Report {
    /// Folders of runs, or NAME=FOLDER with a name for tables and legends
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<Given>,
    /// The page, one HTML file that needs nothing else; `-` is stdout
    #[arg(short, long, value_name = "FILE", default_value = "report.html", value_parser = crate::config::path_argument())]
    output: PathBuf,
    /// Do not evaluate the weights on the test set: no confusion matrix, no mistakes
    #[arg(long)]
    no_evaluation: bool,
}

/// Writes the page.
pub(super) fn run(args: &Report) -> Result<(), Error> {
    write(&args.runs, &args.output, !args.no_evaluation)
}

/// Writes the page of these runs into a file, or to stdout.
pub(super) fn write(runs: &[Given], file: &Path, evaluated: bool) -> Result<(), Error> {
    let runs = History::read_all(runs)?;
    let answers = if evaluated {
        Answers::of(&groups(&runs))
    } else {
        Answers::none(NOT_EVALUATED)
    };
    let page = whole(&title(&runs), &body(&runs, &answers)?, None);
    if file == Path::new("-") {
        return output::print(&page);
    }
    output::write_file(file, page)?;
    tracing::info!("the report is in {}", file.display());
    Ok(())
}
