//! `dtrp config`.

use crate::config::{DIGITS, Layers};
use crate::error::Error;
use crate::output;
use clap::Subcommand;

/// `dtrp config ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration that a run would use, as YAML
    Show(Layers),
}

/// Does what was typed.
pub(super) fn run(command: &ConfigCommand) -> Result<(), Error> {
    let ConfigCommand::Show(layers) = command;
    let config = layers.load(DIGITS)?;
    let settings = config.settings.clone();
    output::print(&config.resolved(&settings).to_yaml()?)
}
