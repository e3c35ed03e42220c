//! `dtrp predictors`: the weight predictors that there are, whether a plug-in keeps the rules, and what each is worth.

mod check;
mod compare;
mod measured;

use crate::config::path_argument;
use crate::error::{Error, of_predictor};
use crate::output::{self, Format};
use clap::Subcommand;
use dtrp_predictors::{Description, Kind};
use dtrp_text::{Table, schema, to_json};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// `dtrp predictors ...`
#[derive(Debug, Subcommand)]
pub(crate) enum PredictorsCommand {
    /// List the predictors that are linked into this program
    List {
        /// How to print them
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Print the formula and the options of one
    Show {
        /// Its name
        name: String,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Load a plug-in, try it out, and say which of the rules it keeps
    Check {
        /// The shared library
        #[arg(value_parser = path_argument())]
        library: PathBuf,
    },
    /// Train one configuration with one predictor after another, and print what each is worth and costs
    Compare(compare::Compare),
}

/// Does what was typed.
pub(super) fn run(command: &PredictorsCommand) -> Result<(), Error> {
    match command {
        PredictorsCommand::List { format: Format::Table } => output::print(&list()),
        PredictorsCommand::List { format: Format::Json } => {
            let all: Vec<_> = dtrp_predictors::list().iter().map(json).collect();
            output::print(&to_json(&all))
        }
        PredictorsCommand::Show { name, format } => {
            let description = dtrp_predictors::describe(name).map_err(|error| of_predictor(error, false))?;
            match format {
                Format::Table => output::print(&output::wrapped(&show(&description))),
                Format::Json => output::print(&to_json(&json(&description))),
            }
        }
        PredictorsCommand::Check { library } => check::run(library),
        PredictorsCommand::Compare(args) => compare::run(args),
    }
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

/// With its options as a JSON schema.
fn json(description: &Description) -> Value {
    json!({
        "name": description.name,
        "version": description.version,
        "summary": description.summary,
        "formula": description.formula,
        "licence": description.licence,
        "kind": match description.kind {
            Kind::Linear => "linear",
            Kind::Custom => "custom",
        },
        "options": schema(description.options),
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Linear => "linear rule",
        Kind::Custom => "custom",
    }
}
