//! `dtrp profile`: what each block of a network costs on this machine.

use crate::cli::Layers;
use crate::config::{self, BENCH};
use crate::error::Error;
use crate::report;
use crate::run::write_atomically;
use crate::train::{Data, Stop, profile};
use clap::Args;
use dtrp_core::simulate::Costs;
use std::path::PathBuf;

/// `dtrp profile`
#[derive(Debug, Args)]
pub(crate) struct Profile {
    #[command(flatten)]
    layers: Layers,
    /// Batches to measure; the costs are medians over them
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Write the costs here, as YAML, instead of to stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Measures, and prints or writes what came of it.
pub(crate) fn run(args: &Profile) -> Result<(), Error> {
    let config = args.layers.load(BENCH)?;
    let data = Data::open(&config)?;
    let stop = Stop::at_signals()?;
    let costs = profile(&config, &data, args.steps, &stop)?;
    let text = config::as_yaml(&costs)?;
    match &args.output {
        None => report::print(&text),
        Some(path) => {
            write_atomically(path, &text)?;
            report::print(&told(&costs));
        }
    }
    Ok(())
}

fn told(costs: &Costs) -> String {
    let head = [
        "block",
        "forward ms",
        "backward ms",
        "recompute ms",
        "update ms",
        "predict ms",
        "input",
        "graph",
        "parameters",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let ms = |ns: u64| format!("{:.3}", ns as f64 / 1e6);
    for block in &costs.blocks {
        rows.push(vec![
            block.name.clone(),
            ms(block.forward_ns),
            ms(block.backward_ns),
            ms(block.recompute_ns.unwrap_or(block.forward_ns)),
            ms(block.update_ns),
            ms(block.predict_ns),
            report::bytes(block.input_bytes),
            report::bytes(block.activation_bytes),
            report::bytes(block.parameter_bytes),
        ]);
    }
    report::table(&rows, 1)
}
