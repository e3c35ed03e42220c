//! Batch compensation: larger batches for workers that wait (`fill`), cuts for which none is the slowest by much (`balance`).
//!
//! The paper names it and shows it beside the workers' utilisation and the imbalance of the modules, without a definition that
//! is public; this is our reading (`docs/algorithms.md`). With U the mean utilisation of the workers over a few batches of the
//! base size B₀, `fill` trains with batches of B₀ / U.

use super::cuts::place;
use super::programs::Programs;
use super::{Data, Stop, Trainer, profile};
use crate::config::{Config, CutsAt, RateRule};
use crate::error::Error;
use crate::report;
use dtrp_core::partition::Load;
use dtrp_core::schedule::Op;
use dtrp_core::simulate::{Costs, ModuleCosts};
use dtrp_core::trace::Recording;
use serde::Serialize;

/// Batches over which the utilisation is measured, beside those that fill and drain the pipeline.
const WINDOW: u32 = 12;

/// Batch sizes are multiples of this.
const MULTIPLE: usize = 8;

/// What batch compensation did to a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Compensation {
    /// Images in a batch before.
    pub(crate) base_batch_size: usize,
    /// Images in a batch.
    pub(crate) batch_size: usize,
    /// The learning rate before.
    pub(crate) base_lr: f64,
    /// The learning rate.
    pub(crate) lr: f64,
    /// Mean share of the time that the workers computed without compensation, in the steady state, 0..1.
    pub(crate) utilisation_before: f64,
    /// The same over the whole run with it, 0..1.
    pub(crate) utilisation_after: Option<f64>,
}

/// Measures, and changes batch size, learning rate and cuts as asked for. The configuration then says what came of it.
pub(crate) fn compensate(
    config: &mut Config,
    data: &mut Data,
    stop: &Stop,
) -> Result<(Option<Compensation>, Option<Costs>), Error> {
    let asked = config.method.batch_compensation.clone();
    let (fill, balance) = (asked.fill, asked.balance);
    if !fill && !balance {
        return Ok((None, place(config, data, stop)?));
    }
    tracing::info!("measuring how busy the workers are");
    let budget = config.method.memory_budget;
    let mut plain = config.clone();
    if balance {
        plain.method.cuts = CutsAt::Even;
        config.method.cuts = CutsAt::Auto;
    }
    let costs = place(config, data, stop)?;
    if !balance {
        plain.method.cuts = config.method.cuts.clone();
    }
    let before = utilisation(&plain, data, stop)?;
    let (base_batch_size, base_lr) = (config.data.batch_size, config.optimizer.lr);
    if fill {
        let now = match balance {
            true => utilisation(config, data, stop)?,
            false => before,
        };
        let most = match budget {
            None => usize::MAX,
            Some(budget) => fitting(config, data, costs.as_ref(), budget.0, stop)?,
        };
        let size = filled(base_batch_size, now, most.min(data.train.samples()));
        config.data.batch_size = size;
        config.optimizer.lr *= rate_factor(asked.rate, size as f64 / base_batch_size as f64);
        *data = Data::open(config)?;
    }
    let section = &mut config.method.batch_compensation;
    (section.fill, section.balance) = (false, false);
    config.method.memory_budget = None;
    let compensation = Compensation {
        base_batch_size,
        batch_size: config.data.batch_size,
        base_lr,
        lr: config.optimizer.lr,
        utilisation_before: before,
        utilisation_after: None,
    };
    tracing::info!(
        "batch compensation: workers are {} busy with batches of {base_batch_size}; batches of {} and a rate of {} instead of {base_lr}",
        report::percent(Some(before), 0),
        compensation.batch_size,
        compensation.lr,
    );
    Ok((Some(compensation), costs))
}

/// B₀ / U, rounded to a multiple of 8; no smaller than B₀, and no larger than `most` unless B₀ is.
fn filled(base: usize, utilisation: f64, most: usize) -> usize {
    let wanted = base as f64 / utilisation.clamp(0.01, 1.0);
    let rounded = (wanted / MULTIPLE as f64).round() as usize * MULTIPLE;
    rounded.min(most / MULTIPLE * MULTIPLE).max(base)
}

/// By how much the learning rate grows with batches `growth` times as large.
fn rate_factor(rule: RateRule, growth: f64) -> f64 {
    match rule {
        RateRule::Linear => growth,
        RateRule::Sqrt => growth.sqrt(),
        RateRule::None => 1.0,
    }
}

/// The mean share of the time that the workers compute, between the filling and the draining of the pipeline.
fn utilisation(config: &Config, data: &Data, stop: &Stop) -> Result<f64, Error> {
    let mut trainer = Trainer::new(config, data)?;
    trainer.record(Recording::Timed);
    let modules = trainer.stages().len() as u32;
    // The last worker starts on batch 1 after K - 1 forwards, the first one its backward after as many backwards.
    let fill = 2 * modules;
    let batches = (fill + WINDOW + modules).min(trainer.length().batches_per_epoch);
    let program = trainer.program(batches)?;
    let source = trainer.source(data, 0, 0, stop)?;
    let outcome = match trainer.run(&program, 0, source) {
        Ok(outcome) => outcome,
        Err(_) if stop.requested() => {
            return Err(Error::Interrupted(" while measuring the utilisation".to_owned()));
        }
        Err(error) => return Err(trainer.explain_run(error)),
    };
    let trace = &outcome.trace;
    let first_forwards = || {
        let events = trace.events(1).iter();
        events.filter(|event| matches!(event.action.op, Op::Forward | Op::ForwardGraph))
    };
    let begins = |event: &dtrp_core::trace::Event| event.begin;
    let from = first_forwards().find(|event| event.action.unit.batch > fill.min(batches / 2));
    let (Some(from), Some(to)) = (from.map(begins), first_forwards().next_back().map(begins)) else {
        return Ok(1.0);
    };
    let length = to.saturating_sub(from).as_secs_f64();
    let busy = (1..=trace.modules()).map(|k| trace.busy_between(k, from, to).as_secs_f64());
    match length > 0.0 {
        true => Ok((busy.sum::<f64>() / f64::from(modules) / length).min(1.0)),
        false => Ok(1.0),
    }
}

/// The largest batch with which no worker holds more than `budget` bytes.
fn fitting(config: &Config, data: &Data, costs: Option<&Costs>, budget: u64, stop: &Stop) -> Result<usize, Error> {
    let measured;
    let costs = match costs {
        Some(costs) => costs,
        None => {
            measured = profile(config, data, 1, stop)?;
            &measured
        }
    };
    let ranges = super::parts::ranges(costs.blocks.len(), config)?;
    let modules = costs.modules(&ranges)?;
    let loads = Load::of(&Programs::new(config, data)?.steady()?).map_err(|fault| Error::Bug(fault.to_string()))?;
    let base = config.data.batch_size as u64;
    let held = |size: u64| {
        let scaled = |costs: &ModuleCosts| ModuleCosts {
            input_bytes: costs.input_bytes * size / base,
            activation_bytes: costs.activation_bytes * size / base,
            ..*costs
        };
        let pairs = loads.iter().zip(&modules);
        pairs.map(|(load, costs)| load.memory(&scaled(costs))).max()
    };
    let sizes = (1..=1 << 16).map(|n| n * MULTIPLE as u64);
    let fits = sizes.take_while(|size| held(*size).is_some_and(|bytes| bytes <= budget));
    Ok(fits.last().map_or(0, |size| size as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_as_workers_wait() {
        assert_eq!(filled(128, 1.0, usize::MAX), 128);
        assert_eq!(filled(128, 0.5, usize::MAX), 256);
        assert_eq!(filled(128, 0.8, usize::MAX), 160);
        assert_eq!(filled(100, 0.99, usize::MAX), 104);
        assert_eq!(filled(128, 0.5, 203), 200);
        assert_eq!(filled(128, 0.5, 100), 128);
        assert_eq!(filled(128, 0.0, 1 << 20), 12800);
    }

    #[test]
    fn rates_follow_the_rule() {
        assert_eq!(rate_factor(RateRule::Linear, 4.0), 4.0);
        assert_eq!(rate_factor(RateRule::Sqrt, 4.0), 2.0);
        assert_eq!(rate_factor(RateRule::None, 4.0), 1.0);
    }
}
