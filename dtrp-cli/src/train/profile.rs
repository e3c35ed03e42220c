//! What each block of a network costs on this machine.
//!
//! The network is cut into as many modules as it has blocks and trained with `dtrp` by one thread, so that every block is
//! forwarded, recomputed, back-propagated and updated on its own, among all the others, and the trace has the times.

use super::{Data, Stop, Trainer};
use crate::config::{Config, CutsAt, Executor, Method};
use crate::error::Error;
use dtrp_core::schedule::Op;
use dtrp_core::simulate::{BlockCost, Costs};
use dtrp_core::trace::{Recording, Trace};
use std::time::Duration;

/// Batches that are not measured: memory is allocated, kernels are chosen.
const WARM_UP: u32 = 3;

/// Measures the costs of the blocks for one batch, as medians over `steps` batches.
pub(crate) fn profile(
    config: &Config,
    data: &Data,
    steps: u32,
    stop: &Stop,
) -> Result<Costs, Error> {
    let input = data.input();
    let network = dtrp_models::build(&config.model.name, &config.model.options, &input)?;
    let blocks = network.describe(&input)?;
    let bare = Method {
        modules: blocks.len(),
        probe_every: 0,
        ..Method::default()
    };
    let with_gradients = Method {
        predictor: config.method.predictor.clone(),
        ..bare.clone()
    };
    let trace = trace(config, with_gradients, data, steps, stop)?;
    let heads = match config.method.name == "local" {
        true => {
            let local = Method {
                name: "local".to_owned(),
                auxiliary: config.method.auxiliary.clone(),
                ..bare
            };
            Some(self::trace(config, local, data, steps, stop)?)
        }
        false => None,
    };
    let element = config.run.dtype.bytes();
    let batch = config.data.batch_size.min(data.train.samples()) as u64;
    let mut input_elements = (input.channels * input.height * input.width) as u64;
    let mut costs = Vec::with_capacity(blocks.len());
    for (k, block) in (1..).zip(&blocks) {
        let forward_ns = median(&trace, k, &[Op::Forward, Op::ForwardGraph]);
        let backward_ns = median(&trace, k, &[Op::Backward]);
        let recompute = median(&trace, k, &[Op::Recompute]);
        let parameter_bytes = block.parameters as u64 * element;
        // The method `local` does the same and its head on top.
        let auxiliary_ns = heads.as_ref().map_or(0, |heads| {
            let both = median(heads, k, &[Op::ForwardGraph]) + median(heads, k, &[Op::Backward]);
            both.saturating_sub(forward_ns + backward_ns)
        });
        costs.push(BlockCost {
            name: block.name.clone(),
            forward_ns,
            backward_ns,
            recompute_ns: (recompute > 0).then_some(recompute),
            update_ns: median(&trace, k, &[Op::Update]),
            auxiliary_ns,
            input_bytes: input_elements * element * batch,
            // The descriptions count in f32.
            activation_bytes: block.activation_bytes * element / 4 * batch,
            parameter_bytes,
            // Gradient and momentum.
            optimizer_bytes: 2 * parameter_bytes,
            ..BlockCost::default()
        });
        input_elements = block.output_shape.iter().product::<usize>() as u64;
    }
    Ok(Costs {
        batch_size: u32::try_from(batch).ok(),
        blocks: costs,
    })
}

/// Trains a few batches with this method on one thread, and returns what took how long.
fn trace(
    config: &Config,
    method: Method,
    data: &Data,
    steps: u32,
    stop: &Stop,
) -> Result<Trace, Error> {
    let mut config = config.clone();
    config.method = Method {
        cuts: CutsAt::Even,
        ..method
    };
    config.run.executor = Executor::Sequential;
    config.run.device.0.truncate(1);
    let mut trainer = Trainer::new(&config, data)?;
    trainer.record(Recording::Timed);
    trainer.wait_for_devices();
    let steps = WARM_UP
        .saturating_add(steps)
        .min(trainer.length().batches_per_epoch);
    let program = trainer.program(steps)?;
    let source = trainer.source(data, 0, 0, stop)?;
    match trainer.run(&program, 0, source) {
        Ok(outcome) => Ok(outcome.trace),
        Err(_) if stop.requested() => Err(Error::Interrupted(" while measuring blocks".to_owned())),
        Err(error) => Err(trainer.explain_run(error)),
    }
}

/// The median time of these kinds of action of worker `k`, without the warm-up where there is more; 0 if there are none.
fn median(trace: &Trace, k: usize, ops: &[Op]) -> u64 {
    let events = || {
        let events = trace.events(k).iter();
        events.filter(|event| ops.contains(&event.action.op))
    };
    let last = events().map(|event| event.action.unit.batch).max();
    let skipped = WARM_UP.min(last.unwrap_or(0).saturating_sub(1));
    let measured = events().filter(|event| event.action.unit.batch > skipped);
    let mut times: Vec<Duration> = measured.map(|event| event.end - event.begin).collect();
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
