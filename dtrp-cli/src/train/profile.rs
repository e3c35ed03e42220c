//! What each block of a network costs on this machine.
//!
//! The network is cut into as many modules as it has blocks and trained with `dtrp` by one thread, so that every block is
//! forwarded, recomputed, back-propagated and updated on its own, among all the others, and the trace has the times. The
//! programs are short: so many modules would otherwise store inputs for many batches, and each forward would pay for fresh
//! memory, which costs as much as the computation, and which a real run does not need once its pipeline has filled.

use super::{Data, Stop, Trainer};
use crate::config::{Config, CutsAt, Executor, Method};
use crate::error::Error;
use dtrp_core::schedule::{Action, Op, Program};
use dtrp_core::simulate::{BlockCost, Costs};
use dtrp_core::trace::{Recording, Trace};
use std::time::Duration;

/// Batches of one program.
const BATCHES: u32 = 4;

/// Measures the costs of the blocks for one batch, as medians over `steps` batches, rounded up to whole programs.
pub(crate) fn profile(config: &Config, data: &Data, steps: u32, stop: &Stop) -> Result<Costs, Error> {
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
    let measured = measure(config, with_gradients, data, steps, stop)?;
    let heads = match config.method.name == "local" {
        true => {
            let local = Method {
                name: "local".to_owned(),
                auxiliary: config.method.auxiliary.clone(),
                ..bare
            };
            Some(measure(config, local, data, steps, stop)?)
        }
        false => None,
    };
    let element = config.run.dtype.bytes();
    let batch = config.data.batch_size.min(data.train.samples()) as u64;
    let mut input_elements = (input.channels * input.height * input.width) as u64;
    let mut costs = Vec::with_capacity(blocks.len());
    for (k, block) in (1..).zip(&blocks) {
        let forward_ns = measured.median_ns(k, &[Op::Forward, Op::ForwardGraph]);
        let backward_ns = measured.median_ns(k, &[Op::Backward]);
        let recompute = measured.median_ns(k, &[Op::Recompute]);
        let parameter_bytes = block.parameters as u64 * element;
        // The method `local` does the same and its head on top.
        let auxiliary_ns = heads.as_ref().map_or(0, |heads| {
            let both = heads.median_ns(k, &[Op::ForwardGraph]) + heads.median_ns(k, &[Op::Backward]);
            both.saturating_sub(forward_ns + backward_ns)
        });
        costs.push(BlockCost {
            name: block.name.clone(),
            forward_ns,
            backward_ns,
            recompute_ns: (recompute > 0).then_some(recompute),
            update_ns: measured.median_ns(k, &[Op::Update]),
            predict_ns: measured.predict_ns[k - 1],
            auxiliary_ns,
            input_bytes: input_elements * element * batch,
            // The descriptions count in f32.
            activation_bytes: block.activation_bytes * element / 4 * batch,
            parameter_bytes,
            optimizer_bytes: measured.optimizer_copies[k - 1] * parameter_bytes,
        });
        input_elements = block.output_shape.iter().product::<usize>() as u64;
    }
    Ok(Costs {
        batch_size: u32::try_from(batch).ok(),
        blocks: costs,
    })
}

/// A few batches, and what they took.
struct Measured {
    /// Of the same program, again and again.
    traces: Vec<Trace>,
    /// Mean time of a prediction, with what is kept for it of every update, of each module.
    predict_ns: Vec<u64>,
    /// Tensors as large as its weights that each module keeps for updates.
    optimizer_copies: Vec<u64>,
}

/// Trains a few batches with this method on one thread.
fn measure(config: &Config, method: Method, data: &Data, steps: u32, stop: &Stop) -> Result<Measured, Error> {
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
    let program = trainer.program(BATCHES.min(trainer.length().batches_per_epoch))?;
    // The first time is not measured: memory is allocated, kernels are chosen.
    let _ = run(&mut trainer, &program, data, stop)?;
    let before = predicting(&trainer);
    let traces = (0..steps.div_ceil(program.batches))
        .map(|_| run(&mut trainer, &program, data, stop))
        .collect::<Result<Vec<_>, _>>()?;
    let spent = predicting(&trainer).into_iter().zip(before);
    let predict_ns = spent.zip(&program.workers).map(|((after, before), actions)| {
        let predictions = actions.iter().filter(|action| is_ahead(action)).count();
        let predictions = predictions * traces.len();
        nanoseconds(after.saturating_sub(before)) / predictions.max(1) as u64
    });
    let stages = trainer.stages().iter();
    Ok(Measured {
        predict_ns: predict_ns.collect(),
        optimizer_copies: stages.map(|stage| stage.optimizer_copies() as u64).collect(),
        traces,
    })
}

/// Trains on the first batches.
fn run(trainer: &mut Trainer, program: &Program, data: &Data, stop: &Stop) -> Result<Trace, Error> {
    let source = trainer.source(data, 0, 0, stop)?;
    match trainer.run(program, 0, source) {
        Ok(outcome) => Ok(outcome.trace),
        Err(_) if stop.requested() => Err(Error::Interrupted(" while measuring blocks".to_owned())),
        Err(error) => Err(trainer.explain_run(error)),
    }
}

/// The time that each module has spent on predicting.
fn predicting(trainer: &Trainer) -> Vec<Duration> {
    let stages = trainer.stages().iter();
    stages
        .map(|stage| stage.metrics().predicting.unwrap_or_default())
        .collect()
}

/// Whether it uses weights predicted ahead.
fn is_ahead(action: &Action) -> bool {
    action.horizon.is_some_and(|horizon| horizon > 0)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Measured {
    /// The median time of these kinds of action of worker `k`, less that of a prediction where there was one; 0 if there are
    /// none.
    fn median_ns(&self, k: usize, ops: &[Op]) -> u64 {
        let events = self.traces.iter().flat_map(|trace| trace.events(k));
        let events = events.filter(|event| ops.contains(&event.action.op));
        let mut times: Vec<u64> = events
            .map(|event| {
                let time = nanoseconds(event.end - event.begin);
                match is_ahead(&event.action) {
                    true => time.saturating_sub(self.predict_ns[k - 1]),
                    false => time,
                }
            })
            .collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }
}
