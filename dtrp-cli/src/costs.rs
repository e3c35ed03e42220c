//! Costs of blocks: the file that `dtrp profile` writes, and the cuts that follow from it.

use crate::config;
use crate::error::Error;
use dtrp_core::partition::{Load, Partition, partition};
use dtrp_core::schedule::Program;
use dtrp_core::simulate::Costs;
use std::path::Path;

/// Reads costs as `dtrp profile` writes them.
pub(crate) fn read(path: &Path) -> Result<Costs, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
    let wrong = |message: String| Error::Fit(format!("{}: not costs of blocks: {message}", path.display()));
    let tree = config::parse_yaml(&text).map_err(&wrong)?;
    serde_path_to_error::deserialize(tree).map_err(|error| wrong(error.to_string()))
}

/// The cuts for which the slowest worker of a program is as fast as possible, none holding more than `budget` bytes.
pub(crate) fn best_cuts(costs: &Costs, program: &Program, budget: Option<u64>) -> Result<Partition, Error> {
    let loads = Load::of(program).map_err(|fault| Error::Bug(fault.to_string()))?;
    partition(costs, &loads, budget).map_err(|error| Error::Fit(format!("cuts: {error}")))
}
