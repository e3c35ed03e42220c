//! `dtrp profile`: what each block of a network costs on this machine.
//!
//! The network is cut into as many modules as it has blocks and trained with `dtrp` by one thread, so that every block is
//! forwarded, recomputed, back-propagated and updated on its own, among all the others, and the trace has the times.

use crate::cli::Layers;
use crate::config::{self, BENCH, Executor};
use crate::error::Error;
use crate::report;
use crate::run::write_atomically;
use crate::train::{Data, Stop, Trainer};
use clap::Args;
use dtrp_core::schedule::Op;
use dtrp_core::simulate::{BlockCost, Costs};
use dtrp_core::trace::Trace;
use dtrp_models::Cuts;
use std::path::PathBuf;
use std::time::Duration;

/// Batches that are not measured: memory is allocated, kernels are chosen.
const WARM_UP: u32 = 3;

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
    let mut config = args.layers.load(BENCH)?;
    let data = Data::open(&config)?;
    let network = dtrp_models::build(&config.model.name, &config.model.options, &data.input())?;
    let blocks = network.describe(&data.input())?;
    config.run.executor = Executor::Sequential;
    config.run.device.0.truncate(1);
    config.method = config::Method {
        modules: blocks.len(),
        cuts: config::CutsAt(Cuts::Even),
        predictor: config.method.predictor,
        probe_every: 0,
        ..config::Method::default()
    };
    let stop = Stop::at_signals()?;
    let mut trainer = Trainer::new(&config, &data)?;
    trainer.record_times();
    let steps = WARM_UP
        .saturating_add(args.steps)
        .min(trainer.length().batches_per_epoch);
    let program = trainer.program(steps)?;
    let source = trainer.source(&data, 0, 0, &stop)?;
    let outcome = trainer
        .run(&program, 0, source)
        .map_err(|error| trainer.explain_run(error))?;
    let element = config.run.dtype.bytes();
    let batch = config.data.batch_size.min(data.train.samples()) as u64;
    let input = data.input();
    let mut input_elements = (input.channels * input.height * input.width) as u64;
    let mut costs = Vec::with_capacity(blocks.len());
    for (k, block) in (1..).zip(&blocks) {
        let forward = median(&outcome.trace, k, &[Op::Forward, Op::ForwardGraph]);
        let recompute = median(&outcome.trace, k, &[Op::Recompute]);
        let parameters = block.parameters as u64 * element;
        costs.push(BlockCost {
            name: block.name.clone(),
            forward_ns: forward,
            backward_ns: median(&outcome.trace, k, &[Op::Backward]),
            recompute_ns: (recompute > 0).then_some(recompute),
            update_ns: median(&outcome.trace, k, &[Op::Update]),
            input_bytes: input_elements * element * batch,
            // The descriptions count in f32.
            activation_bytes: block.activation_bytes * element / 4 * batch,
            parameter_bytes: parameters,
            // Gradient and momentum.
            optimizer_bytes: 2 * parameters,
            ..BlockCost::default()
        });
        input_elements = block.output_shape.iter().product::<usize>() as u64;
    }
    let costs = Costs {
        batch_size: u32::try_from(batch).ok(),
        blocks: costs,
    };
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

/// The median time of these kinds of action of worker `k`, without the warm-up; 0 if there are none.
fn median(trace: &Trace, k: usize, ops: &[Op]) -> u64 {
    let events = trace.events(k).iter();
    let measured =
        events.filter(|event| ops.contains(&event.action.op) && event.action.unit.batch > WARM_UP);
    let mut times: Vec<Duration> = measured.map(|event| event.end - event.begin).collect();
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn told(costs: &Costs) -> String {
    let head = [
        "block",
        "forward ms",
        "backward ms",
        "recompute ms",
        "update ms",
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
            report::bytes(block.input_bytes),
            report::bytes(block.activation_bytes),
            report::bytes(block.parameter_bytes),
        ]);
    }
    report::table(&rows, 1)
}
