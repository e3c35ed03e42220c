//! `method.cuts: auto`: the cuts for which the slowest worker is as fast as possible.

use super::programs::Programs;
use super::{Data, Stop, profile};
use crate::config::{Config, CutsAt};
use crate::costs;
use crate::error::Error;
use dtrp_core::simulate::Costs;

/// Batches that are measured, beside the warm-up.
const STEPS: u32 = 10;

/// Replaces `auto` by a list of cuts, so that the configuration says all that the run depends on, and returns the costs that
/// they follow from. Leaves other cuts alone.
pub(crate) fn place(config: &mut Config, data: &Data, stop: &Stop) -> Result<Option<Costs>, Error> {
    let section = &config.method;
    if section.cuts != CutsAt::Auto {
        return Ok(None);
    }
    let costs = match &section.costs {
        Some(path) => {
            let costs = costs::read(path)?;
            check_fit(config, data, &costs)?;
            costs
        }
        None => {
            tracing::info!("measuring what each block costs");
            profile(config, data, STEPS, stop)?
        }
    };
    let program = Programs::new(config, data)?.steady()?;
    let budget = section.memory_budget.map(|budget| budget.0);
    let partition = costs::best_cuts(&costs, &program, budget)?;
    let times: Vec<String> = partition.times_ns.iter().map(|ns| format!("{:.1}", ns / 1e6)).collect();
    tracing::info!(
        "method.cuts: {:?}; the workers take {} ms a batch",
        partition.cuts(),
        times.join(", ")
    );
    config.method.cuts = CutsAt::At(partition.cuts());
    (config.method.costs, config.method.memory_budget) = (None, None);
    Ok(Some(costs))
}

/// Costs from a file must be those of this network, and of these batches.
fn check_fit(config: &Config, data: &Data, costs: &Costs) -> Result<(), Error> {
    let input = data.input();
    let network = dtrp_models::build(&config.model.name, &config.model.options, &input)?;
    let given: Vec<&str> = costs.blocks.iter().map(|block| block.name.as_str()).collect();
    let own: Vec<&str> = network.blocks.iter().map(|block| block.name.as_str()).collect();
    let told = |what: String| {
        Err(Error::Fit(format!(
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
    let batch = config.data.batch_size.min(data.train.samples());
    match costs.batch_size {
        Some(size) if size as usize != batch => told(format!("they are for batches of {size}, not of {batch}")),
        _ => Ok(()),
    }
}
