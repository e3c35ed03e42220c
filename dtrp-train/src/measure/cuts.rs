//! [`Cuts::Auto`]: the cuts for which the slowest worker is as fast as possible.

use super::profile::profile;
use crate::assembly::{Programs, Recipe};
use crate::error::{Result, TrainError};
use crate::settings::Cuts;
use dtrp_core::costs::{Costs, Load};
use dtrp_core::partition::{Partition, partition};
use dtrp_core::schedule::Program;

/// Batches that are measured, beside the warm-up.
const STEPS: u32 = 10;

/// Replaces `auto` by a list of cuts, so that the settings say all that the run depends on, and returns the costs that they
/// follow from. Leaves other cuts alone.
pub(super) fn place(recipe: &mut Recipe) -> Result<Option<Costs>> {
    if recipe.settings.method.cuts != Cuts::Auto {
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
    let batches = recipe.batches()?;
    let program = Programs::new(section, recipe.program.as_ref(), batches)?.steady()?;
    let budget = section.memory_budget.map(|budget| budget.0);
    let partition = best_cuts(&costs, &program, budget)?;
    let times: Vec<String> = partition.times_ns.iter().map(|ns| format!("{:.1}", ns / 1e6)).collect();
    tracing::info!(
        "method.cuts: {:?}; the workers take {} ms a batch",
        partition.cuts(),
        times.join(", ")
    );
    recipe.settings.method.cuts = Cuts::At(partition.cuts());
    recipe.settings.method.memory_budget = None;
    Ok(Some(costs))
}

/// The cuts for which the slowest worker of a program is as fast as possible, none holding more than `budget` bytes.
///
/// # Errors
///
/// [`TrainError::Partition`] where there are too few blocks, or no cuts keep to the budget.
pub fn best_cuts(costs: &Costs, program: &Program, budget: Option<u64>) -> Result<Partition> {
    let loads = Load::of(program).map_err(|fault| TrainError::Bug(fault.to_string()))?;
    Ok(partition(costs, &loads, budget)?)
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
