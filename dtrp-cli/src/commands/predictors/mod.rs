//! `dtrp predictors`: the weight predictors that there are, whether a plug-in keeps the rules, and what each is worth.

mod check;
mod compare;
mod measured;

use crate::error::{Error, of_predictor};
use crate::output;
use clap::Subcommand;
use dtrp_predictors::{Description, Kind};
use dtrp_text::Table;
use std::fmt::Write;
use std::path::PathBuf;

/// `dtrp predictors ...`
#[derive(Debug, Subcommand)]
pub(crate) enum PredictorsCommand {
    /// List the predictors that are linked into this program
    List,
    /// Print the formula and the options of one
    Show {
        /// Its name
        name: String,
    },
    /// Load a plug-in, try it out, and say which of the rules it keeps
    Check {
        /// The shared library
        library: PathBuf,
    },
    /// Train one configuration with one predictor after another, and print what each is worth and costs
    Compare(compare::Compare),
}

/// Does what was typed.
pub(super) fn run(command: &PredictorsCommand) -> Result<(), Error> {
    match command {
        PredictorsCommand::List => output::print(&list())?,
        PredictorsCommand::Show { name } => {
            let description = dtrp_predictors::describe(name).map_err(|error| of_predictor(error, false))?;
            output::print(&output::wrapped(&show(&description)))?;
        }
        PredictorsCommand::Check { library } => {
            check::run(library)?;
        }
        PredictorsCommand::Compare(args) => compare::run(args)?,
    }
    Ok(())
}

fn list() -> String {
    let mut table = Table::new(4);
    table.row(["predictor", "kind", "options", ""]);
    for description in dtrp_predictors::list() {
        let options: Vec<_> = description.options.iter().map(|option| option.name).collect();
        table.row([
            description.name.to_owned(),
            kind(description.kind).to_owned(),
            options.join(", "),
            description.summary.to_owned(),
        ]);
    }
    output::fitted(&table)
}

fn show(description: &Description) -> String {
    let mut text = format!(
        "{} {} ({}, {})\n\n{}\n{}\n",
        description.name,
        description.version,
        kind(description.kind),
        description.licence,
        description.summary,
        description.formula,
    );
    if !description.options.is_empty() {
        text.push_str("\noptions\n");
    }
    for option in description.options {
        let _ = writeln!(text, "  {:<14} {}", option.name, option.summary);
    }
    text
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Linear => "linear rule",
        Kind::Custom => "custom",
    }
}
