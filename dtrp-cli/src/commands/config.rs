//! `dtrp config`.

use crate::config::{DIGITS, Layers, Origin};
use crate::error::Error;
use crate::output;
use crate::schemas::Schema;
use clap::{Args, Subcommand};
use dtrp_text::Table;

/// `dtrp config ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration that a run would use, as YAML
    Show(Show),
    /// Print the JSON schema of a configuration, for editors
    Schema,
}

/// `dtrp config show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    layers: Layers,
    /// Print a table instead: each key, its value, and where that comes from
    #[arg(long)]
    origin: bool,
}

/// Does what was typed.
pub(super) fn run(command: &ConfigCommand) -> Result<(), Error> {
    let show = match command {
        ConfigCommand::Schema => return output::print(&Schema::Config.text()),
        ConfigCommand::Show(show) => show,
    };
    let config = show.layers.load(DIGITS)?;
    let settings = config.settings.clone();
    if !show.origin {
        return output::print(&config.resolved(&settings).to_yaml()?);
    }
    // Before the name of the run is put in, which nobody has given.
    let mut table = Table::new(3);
    table.row(["key", "value", "from"]);
    for Origin { key, value, from } in config.origins() {
        table.row([key, value, from]);
    }
    output::print(&output::fitted(&table))
}
