//! How busy the workers are.

use crate::assembly::Recipe;
use crate::error::Result;
use crate::trainer::Trainer;
use dtrp_core::schedule::Op;
use dtrp_core::trace::{Event, Recording};

/// Batches over which the utilisation is measured, beside those that fill and drain the pipeline.
const WINDOW: u32 = 12;

/// The mean share of the time that the workers compute, between the filling and the draining of the pipeline, 0..1.
pub(super) fn utilisation(recipe: &Recipe) -> Result<f64> {
    let mut trainer = Trainer::assemble(recipe.clone(), true)?;
    trainer.record(Recording::Timed);
    let modules = trainer.stages().len() as u32;
    // The last worker starts on batch 1 after K - 1 forwards, the first one its backward after as many backwards.
    let fill = 2 * modules;
    let batches = (fill + WINDOW + modules).min(trainer.length().batches_per_epoch);
    let program = trainer.program(batches)?;
    let (_, trace) = trainer.stretch_of(&program, 0)?;
    let first_forwards = || {
        let events = trace.events(1).iter();
        events.filter(|event| matches!(event.action.op, Op::Forward | Op::ForwardGraph))
    };
    let begins = |event: &Event| event.begin;
    let from = first_forwards().find(|event| event.action.unit.batch > fill.min(batches / 2));
    let (Some(from), Some(to)) = (from.map(begins), first_forwards().next_back().map(begins)) else {
        return Ok(1.0);
    };
    let length = to.saturating_sub(from).as_secs_f64();
    if length <= 0.0 {
        return Ok(1.0);
    }
    let busy = (1..=trace.modules()).map(|k| trace.busy_between(k, from, to).as_secs_f64());
    Ok((busy.sum::<f64>() / f64::from(modules) / length).min(1.0))
}
