//! Batch compensation: larger batches for workers that wait (`fill`), cuts for which none is the slowest by much (`balance`).
//!
//! The paper names it and shows it beside the workers' utilisation and the imbalance of the modules, without a definition that
//! is public; this is our reading (`docs/algorithms.md`). With U the mean utilisation of the workers over a few batches of the
//! base size B₀, `fill` trains with batches of B₀ / U.

use super::cuts::place;
use super::profile::profile;
use super::utilisation::utilisation;
use crate::assembly::{Programs, Recipe};
use crate::error::{Result, TrainError};
use crate::events::Compensation;
use crate::settings::{Cuts, RateRule};
use dtrp_core::costs::{Costs, Load, ModuleCosts};
use dtrp_text::units::percent;

/// Batch sizes are multiples of this.
const MULTIPLE: usize = 8;

/// Measures, and changes batch size, learning rate and cuts as asked for. The settings then say what came of it.
pub(crate) fn compensate(recipe: &mut Recipe) -> Result<(Option<Compensation>, Option<Costs>)> {
    let asked = recipe.settings.method.batch_compensation.clone();
    let (fill, balance) = (asked.fill, asked.balance);
    if !fill && !balance {
        return Ok((None, place(recipe)?));
    }
    tracing::info!("measuring how busy the workers are");
    let budget = recipe.settings.method.memory_budget;
    let mut plain = recipe.clone();
    if balance {
        plain.settings.method.cuts = Cuts::Even;
        recipe.settings.method.cuts = Cuts::Auto;
    }
    let costs = place(recipe)?;
    if !balance {
        plain.settings.method.cuts = recipe.settings.method.cuts.clone();
    }
    let before = utilisation(&plain)?;
    let (base_batch_size, base_lr) = (recipe.settings.data.batch_size, recipe.settings.optimizer.lr);
    if fill {
        let now = if balance { utilisation(recipe)? } else { before };
        let most = match budget {
            None => usize::MAX,
            Some(budget) => fitting(recipe, costs.as_ref(), budget.0)?,
        };
        let size = filled(base_batch_size, now, most.min(recipe.samples()));
        recipe.settings.data.batch_size = size;
        recipe.settings.optimizer.lr *= rate_factor(asked.rate, size as f64 / base_batch_size as f64);
    }
    let section = &mut recipe.settings.method;
    (section.batch_compensation.fill, section.batch_compensation.balance) = (false, false);
    section.memory_budget = None;
    let compensation = Compensation {
        base_batch_size,
        batch_size: recipe.settings.data.batch_size,
        base_lr,
        lr: recipe.settings.optimizer.lr,
        utilisation_before: before,
        utilisation_after: None,
    };
    tracing::info!(
        "batch compensation: workers are {} busy with batches of {base_batch_size}; batches of {} and a rate of {} instead of {base_lr}",
        percent(Some(before), 0),
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

/// The largest batch with which no worker holds more than `budget` bytes.
fn fitting(recipe: &Recipe, costs: Option<&Costs>, budget: u64) -> Result<usize> {
    let measured;
    let costs = match costs {
        Some(costs) => costs,
        None => {
            measured = profile(recipe, 1)?;
            &measured
        }
    };
    let section = &recipe.settings.method;
    let ranges = section.cuts.ranges(costs.names(), section.modules)?;
    let modules = costs.modules(&ranges.unwrap_or_default())?;
    let program = Programs::new(section, recipe.program.as_ref(), recipe.batches()?)?.steady()?;
    let loads = Load::of(&program).map_err(|fault| TrainError::Bug(fault.to_string()))?;
    let base = recipe.settings.data.batch_size as u64;
    let held = |size: u64| {
        let scaled = |costs: &ModuleCosts| ModuleCosts {
            input_bytes: costs.input_bytes * size / base,
            activation_bytes: costs.activation_bytes * size / base,
            ..*costs
        };
        let pairs = loads.iter().zip(&modules);
        pairs.map(|(load, costs)| load.memory(&scaled(costs)).peak).max()
    };
    if let Some(least) = held(base).filter(|least| *least > budget) {
        return Err(TrainError::Fit(format!(
            "method.memory_budget: batches of data.batch_size = {base} do not fit into {budget} bytes a worker: the least that \
             is enough is {least}; allow more, or take smaller batches"
        )));
    }
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
