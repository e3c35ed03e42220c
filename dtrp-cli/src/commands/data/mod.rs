//! `dtrp data`: the data sets that there are, what is in a folder, and getting a set.

mod check;
mod fetch;
mod list;

use crate::error::Error;
use clap::Subcommand;

/// `dtrp data ...`
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// List the data sets: shape, classes, files, licence, and how to get them
    List(list::List),
    /// Read every file of a folder, count what is there, and report each thing that is wrong with file and offset
    Check(check::Check),
    /// Download a data set from where its authors publish it; an interrupted download is continued
    Fetch(fetch::Fetch),
}

/// Does what was typed.
pub(super) fn run(command: &DataCommand) -> Result<(), Error> {
    match command {
        DataCommand::List(args) => args.run(),
        DataCommand::Check(args) => args.run(),
        DataCommand::Fetch(args) => args.run(),
    }
}

/// Whether `dtrp data fetch` knows where to get the set.
fn fetchable(name: &str) -> bool {
    let sources = dtrp_data::fetch::sources();
    sources.iter().any(|source| source.dataset == name)
}
