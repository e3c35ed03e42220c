//! `dtrp schema`.

use crate::error::Error;
use crate::output;
use crate::schemas::Schema;
use clap::Args;

/// `dtrp schema`
#[derive(Debug, Args)]
pub(crate) struct SchemaCommand {
    /// Which file's
    #[arg(value_enum, value_name = "KIND")]
    of: Schema,
}

/// Prints the schema.
pub(super) fn run(args: &SchemaCommand) -> Result<(), Error> {
    output::print(&args.of.text())
}
