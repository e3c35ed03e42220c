//! For the fuzz targets alone (feature `fuzzing`): what people write, read as the commands read it.

use crate::commands;
use crate::config::{Config, Set};
use crate::costs;
use dtrp_core::costs::Costs;

/// Reads a configuration from the text of a file and from `--set` arguments, and writes it as a run's folder has it.
///
/// # Errors
///
/// What the program would say.
pub fn configuration(text: &str, sets: &[&str]) -> Result<String, String> {
    let sets: Vec<Set> = sets.iter().map(|set| set.parse()).collect::<Result<_, _>>()?;
    let config = Config::parse("fuzzed.yaml", text, &sets).map_err(|error| error.to_string())?;
    config.to_yaml().map_err(|error| error.to_string())
}

/// Reads `--set-list` arguments, and says what each combination sets.
///
/// # Errors
///
/// What the program would say.
pub fn combinations(lists: &[&str]) -> Result<Vec<Vec<String>>, String> {
    commands::combined(lists)
}

/// Reads costs of blocks from the text of a file.
///
/// # Errors
///
/// What the program would say.
pub fn costs(text: &str) -> Result<Costs, String> {
    costs::parse(text)
}
