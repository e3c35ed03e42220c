//! What each block of a network costs on this machine.
//!
//! The network is cut into as many modules as it has blocks and trained with `dtrp` by one thread, so that every block is
//! forwarded, recomputed, back-propagated and updated on its own, among all the others, and the trace has the times. The
//! programs are short: so many modules would otherwise store inputs for many batches, and each forward would pay for fresh
//! memory, which costs as much as the computation, and which a real run does not need once its pipeline has filled.

use crate::assembly::{Programs, Recipe, bytes_of_blocks};
use crate::error::Result;
use crate::settings::{Cuts, MethodSettings};
use crate::trainer::Trainer;
use dtrp_core::costs::Costs;
use dtrp_core::engine::Executor;
use dtrp_core::schedule::{Action, Op};
use dtrp_core::trace::{Recording, Trace};
use std::time::Duration;

/// Batches of one program.
const BATCHES: u32 = 4;

/// Measures the costs of the blocks for one batch, as medians over `steps` batches, rounded up to whole programs.
pub(crate) fn profile(recipe: &Recipe, steps: u32) -> Result<Costs> {
    let section = &recipe.settings.method;
    let own = Programs::new(section, recipe.program.as_ref(), 1)?;
    let bare = MethodSettings {
        modules: recipe.network.blocks.len(),
        probe_every: 0,
        ..MethodSettings::default()
    };
    let with_gradients = MethodSettings {
        predictor: section.predictor.clone(),
        ..bare.clone()
    };
    let measured = measure(recipe, with_gradients, steps)?;
    let heads = if own.gradients()? {
        None
    } else {
        let local = MethodSettings {
            name: "local".to_owned(),
            auxiliary: section.auxiliary.clone(),
            ..bare
        };
        Some(measure(recipe, local, steps)?)
    };
    let mut costs = bytes_of_blocks(recipe)?;
    for (k, block) in (1..).zip(&mut costs.blocks) {
        block.forward_ns = measured.median_ns(k, &[Op::Forward, Op::ForwardGraph]);
        block.backward_ns = measured.median_ns(k, &[Op::Backward]);
        let recompute = measured.median_ns(k, &[Op::Recompute]);
        block.recompute_ns = (recompute > 0).then_some(recompute);
        block.update_ns = measured.median_ns(k, &[Op::Update]);
        block.predict_ns = measured.predict_ns[k - 1];
        // The method with local losses does the same and its head on top.
        block.auxiliary_ns = heads.as_ref().map_or(0, |heads| {
            let both = heads.median_ns(k, &[Op::ForwardGraph]) + heads.median_ns(k, &[Op::Backward]);
            both.saturating_sub(block.forward_ns + block.backward_ns)
        });
        block.optimizer_bytes = measured.optimizer_copies[k - 1] * block.parameter_bytes;
    }
    Ok(costs)
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
fn measure(recipe: &Recipe, method: MethodSettings, steps: u32) -> Result<Measured> {
    let mut recipe = recipe.with(|settings| {
        settings.method = MethodSettings {
            cuts: Cuts::Even,
            ..method
        };
        settings.run.executor = Executor::Sequential;
        settings.run.device = settings.run.device.clone().first();
    });
    recipe.program = None;
    let mut trainer = Trainer::assemble(recipe, true)?;
    trainer.record(Recording::Timed);
    trainer.wait_for_devices();
    let program = trainer.program(BATCHES.min(trainer.length().batches_per_epoch))?;
    let train = |trainer: &mut Trainer| -> Result<Trace> { Ok(trainer.stretch_of(&program, 0)?.1) };
    // The first time is not measured: memory is allocated, kernels are chosen.
    train(&mut trainer)?;
    let before = predicting(&trainer);
    let traces = (0..steps.div_ceil(program.batches))
        .map(|_| train(&mut trainer))
        .collect::<Result<Vec<_>>>()?;
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
                if is_ahead(&event.action) {
                    time.saturating_sub(self.predict_ns[k - 1])
                } else {
                    time
                }
            })
            .collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }
}
