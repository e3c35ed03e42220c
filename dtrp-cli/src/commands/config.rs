//! `dtrp config`.

use crate::cli::Layers;
use crate::config::DIGITS;
use crate::error::Error;
use crate::output;

/// Prints the configuration that a run would use.
pub(crate) fn show(layers: &Layers) -> Result<(), Error> {
    let config = layers.load(DIGITS)?;
    let settings = config.settings.clone();
    output::print(&config.resolved(&settings).to_yaml()?)
}
