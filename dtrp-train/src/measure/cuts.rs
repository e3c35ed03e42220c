//! [`Cuts::Auto`]: the cuts for which the slowest worker is as fast as possible.

use super::profile::profile;
use crate::assembly::{Programs, Recipe};
use crate::error::{Result, TrainError};
use crate::settings::{Cuts, MethodSettings, Recomputing};
use dtrp_core::costs::{Costs, Load};
use dtrp_core::partition::{Partition, partition, partition_among};
use dtrp_core::schedule::{Program, Recompute};
use std::ops::Range;

/// Batches that are measured, beside the warm-up.
const STEPS: u32 = 10;

/// Replaces `auto` by a list of cuts, and of what is recomputed, so that the settings say all that the run depends on, and returns
/// the costs that they follow from. Leaves other cuts and choices alone.
pub(super) fn place(recipe: &mut Recipe) -> Result<Option<Costs>> {
    let section = &recipe.settings.method;
    let (cuts, choices) = (section.cuts == Cuts::Auto, section.recompute == Recomputing::Auto);
    if !section.goes_by_costs() {
        return Ok(None);
    }
    let costs = match recipe.costs.take() {
        Some(costs) => {
            costs.check()?;
            check_fit(recipe, &costs)?;
            costs
        }
        None => {
            tracing::info!("measuring what each block costs");
            profile(recipe, STEPS)?
        }
    };
    let section = &recipe.settings.method;
    let programs = if choices {
        let all = Recompute::ALL.map(|choice| steady(recipe, Recomputing::All(choice)));
        all.into_iter().collect::<Result<Vec<_>>>()?
    } else {
        vec![steady(recipe, section.recompute.clone())?]
    };
    let loads = programs.iter().map(loads_of).collect::<Result<Vec<_>>>()?;
    let loads: Vec<&[Load]> = loads.iter().map(Vec::as_slice).collect();
    let budget = match section.memory_budget {
        Some(budget) => Some(budget.0),
        None if choices => Some(alone(&costs, recipe.batches()?)?),
        None => None,
    };
    let partition = match section.cuts.ranges(costs.names(), section.modules)? {
        None => partition_among(&costs, section.modules, &loads, budget)?,
        Some(ranges) => choose(&costs, &ranges, &loads, budget)?,
    };
    let times: Vec<String> = partition.times_ns.iter().map(|ns| format!("{:.1}", ns / 1e6)).collect();
    tracing::info!(
        "method.cuts: {:?}; the workers take {} ms a batch",
        partition.cuts(),
        times.join(", ")
    );
    let section = &mut recipe.settings.method;
    if cuts {
        section.cuts = Cuts::At(partition.cuts());
    }
    if choices {
        let chosen: Vec<Recompute> = partition.choices.iter().map(|choice| Recompute::ALL[*choice]).collect();
        let names: Vec<&str> = chosen.iter().map(|choice| choice.name()).collect();
        tracing::info!("method.recompute: [{}]", names.join(", "));
        section.recompute = Recomputing::Each(chosen);
    }
    section.memory_budget = None;
    Ok(Some(costs))
}

/// A program that shows the steady state, with this recomputed.
fn steady(recipe: &Recipe, recompute: Recomputing) -> Result<Program> {
    let section = MethodSettings {
        recompute,
        ..recipe.settings.method.clone()
    };
    Programs::new(&section, recipe.program.as_ref(), recipe.batches()?)?.steady()
}

fn loads_of(program: &Program) -> Result<Vec<Load>> {
    Load::of(program).map_err(|fault| TrainError::Bug(fault.to_string()))
}

/// What plain backpropagation holds on one worker.
fn alone(costs: &Costs, batches: u32) -> Result<u64> {
    let section = MethodSettings {
        name: "bp".to_owned(),
        modules: 1,
        ..MethodSettings::default()
    };
    let loads = loads_of(&Programs::new(&section, None, batches)?.steady()?)?;
    let whole = partition(costs, &loads, None)?;
    Ok(whole.memory.first().copied().unwrap_or(u64::MAX))
}

/// The choices for modules that are cut already: of each the fastest that fits the budget.
fn choose(costs: &Costs, ranges: &[Range<usize>], loads: &[&[Load]], budget: Option<u64>) -> Result<Partition> {
    let mut whole = Partition {
        modules: ranges.to_vec(),
        times_ns: Vec::new(),
        memory: Vec::new(),
        choices: Vec::new(),
    };
    for (k, range) in ranges.iter().enumerate() {
        let own = Costs {
            batch_size: costs.batch_size,
            blocks: costs.blocks[range.clone()].to_vec(),
        };
        let of_worker: Vec<&[Load]> = loads.iter().map(|loads| &loads[k..=k]).collect();
        let best = partition_among(&own, 1, &of_worker, budget)?;
        whole.times_ns.extend(best.times_ns);
        whole.memory.extend(best.memory);
        whole.choices.extend(best.choices);
    }
    Ok(whole)
}

/// The cuts for which the slowest worker of a program is as fast as possible, none holding more than `budget` bytes.
///
/// # Errors
///
/// [`TrainError::Partition`] where there are too few blocks, or no cuts keep to the budget.
pub fn best_cuts(costs: &Costs, program: &Program, budget: Option<u64>) -> Result<Partition> {
    Ok(partition(costs, &loads_of(program)?, budget)?)
}

/// Costs that were given must be those of this network, and of these batches.
fn check_fit(recipe: &Recipe, costs: &Costs) -> Result<()> {
    let given: Vec<&str> = costs.blocks.iter().map(|block| block.name.as_str()).collect();
    let own: Vec<&str> = recipe.network.blocks.iter().map(|block| block.name.as_str()).collect();
    let told = |what: String| {
        Err(TrainError::Fit(format!(
            "method.costs: these are not the costs of this run: {what}; measure them with `dtrp profile`, or leave method.costs out"
        )))
    };
    if given.len() != own.len() {
        return told(format!(
            "they have {} blocks, the network has {}",
            given.len(),
            own.len()
        ));
    }
    // Names may be left out by those who write costs by hand.
    let other = given
        .iter()
        .zip(&own)
        .find(|(given, own)| !given.is_empty() && given != own);
    if let Some((given, own)) = other {
        return told(format!("the block `{own}` of the network is `{given}` there"));
    }
    let batch = recipe.batch_size();
    match costs.batch_size {
        Some(size) if size as usize != batch => told(format!("they are for batches of {size}, not of {batch}")),
        _ => Ok(()),
    }
}
