//! `dtrp profile`: what each block of a network costs on this machine.

use super::training::training;
use crate::config::{self, BENCH, Layers, path_argument};
use crate::error::Error;
use crate::output;
use crate::stop;
use clap::Args;
use dtrp_core::costs::Costs;
use dtrp_text::Table;
use dtrp_text::units::bytes;
use std::path::{Path, PathBuf};

/// `dtrp profile`
#[derive(Debug, Args)]
pub(crate) struct Profile {
    #[command(flatten)]
    layers: Layers,
    /// Batches to measure; the costs are medians over them
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Write the costs here, as YAML, instead of to stdout (`-`)
    #[arg(short, long, value_name = "FILE", value_parser = path_argument())]
    output: Option<PathBuf>,
}

/// Measures, and prints or writes what came of it.
pub(super) fn run(args: &Profile) -> Result<(), Error> {
    let config = args.layers.load(BENCH)?;
    let costs = training(&config, &stop::at_signals()?)?.profile(args.steps)?;
    let text = config::as_yaml(&costs)?;
    let stdout = ["-", "/dev/stdout"].map(Path::new);
    match &args.output {
        Some(path) if !stdout.contains(&path.as_path()) => {
            output::write_file(path, &text)?;
            output::print(&output::fitted(&table(&costs)))
        }
        _ => output::print(&text),
    }
}

fn table(costs: &Costs) -> Table {
    let mut table = Table::new(1);
    table.row([
        "block",
        "forward ms",
        "backward ms",
        "recompute ms",
        "update ms",
        "predict ms",
        "input",
        "graph",
        "parameters",
    ]);
    let ms = |ns: u64| format!("{:.3}", ns as f64 / 1e6);
    for block in &costs.blocks {
        table.row([
            block.name.clone(),
            ms(block.forward_ns),
            ms(block.backward_ns),
            ms(block.recompute_ns.unwrap_or(block.forward_ns)),
            ms(block.update_ns),
            ms(block.predict_ns),
            bytes(block.input_bytes),
            bytes(block.activation_bytes),
            bytes(block.parameter_bytes),
        ]);
    }
    table
}
