//! Costs of blocks: the file that `dtrp profile` writes.

use crate::config;
use crate::error::Error;
use dtrp_core::costs::Costs;
use std::path::Path;

/// Reads costs as `dtrp profile` writes them.
pub(crate) fn read(path: &Path) -> Result<Costs, Error> {
    let wrong = |message: String| Error::Fit(format!("{}: not costs of blocks: {message}", path.display()));
    let text = dtrp_text::read_text(path)
        .map_err(|error| Error::Fit(format!("{}: cannot be read: {error}", path.display())))?;
    parse(&text).map_err(wrong)
}

/// Costs from the text of a file.
pub(crate) fn parse(text: &str) -> Result<Costs, String> {
    let tree = config::parse_yaml(text)?;
    let costs: Costs = serde_path_to_error::deserialize(tree).map_err(|error| error.to_string())?;
    costs.check().map_err(|error| error.to_string())?;
    Ok(costs)
}
