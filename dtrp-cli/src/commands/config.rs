//! `dtrp config`.

use crate::cli::Layers;
use crate::config::{DIGITS, to_yaml};
use crate::error::Error;
use crate::report;

/// Prints the configuration that a run would use.
pub(crate) fn show(layers: &Layers) -> Result<(), Error> {
    report::print(&to_yaml(&layers.load(DIGITS)?)?);
    Ok(())
}
