//! Weights to start from.

use crate::error::{Result, TrainError};
use dtrp_core::torch::TorchStage;
use dtrp_models::weights;
use std::collections::HashMap;
use std::path::Path;
use tch::Tensor;

/// Starts from the weights in a file, which must be this network's, all of them.
pub(crate) fn load_weights(stages: &mut [TorchStage], path: &Path) -> Result<()> {
    let wrong = |message: String| TrainError::InitFrom {
        path: path.to_owned(),
        message,
    };
    let tensors = weights::load(path)?;
    let of_stage = |stage: &TorchStage| -> Vec<String> {
        let params = stage.module().params().map(|spec| spec.name.clone());
        let buffers = stage.module().buffers().map(|(spec, _)| spec.name.clone());
        params.chain(buffers).collect()
    };
    let needed: Vec<String> = stages.iter().flat_map(of_stage).collect();
    check_names(&needed, &tensors).map_err(&wrong)?;
    for stage in stages {
        stage.load(&tensors).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(())
}

/// Every tensor that is needed must be there, and every one that is there must be needed. PyTorch's batch counters are
/// neither.
fn check_names(needed: &[String], given: &HashMap<String, Tensor>) -> Result<(), String> {
    let mut missing: Vec<&str> = needed.iter().map(String::as_str).collect();
    missing.retain(|name| !given.contains_key(*name));
    let mut unused: Vec<&str> = given.keys().map(String::as_str).collect();
    unused.retain(|name| !name.ends_with("num_batches_tracked"));
    unused.retain(|name| !needed.iter().any(|needed| needed == name));
    unused.sort_unstable();
    let mut parts = Vec::new();
    for (what, names) in [("it lacks", missing), ("the network has no", unused)] {
        const SHOWN: usize = 4;
        if !names.is_empty() {
            let more = names.len().saturating_sub(SHOWN);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let names = names[..names.len().min(SHOWN)].join(", ");
            parts.push(format!("{what} {names}{more}"));
        }
    }
    if parts.is_empty() {
        return Ok(());
    }
    Err(format!("not the weights of this network: {}", parts.join("; ")))
}
