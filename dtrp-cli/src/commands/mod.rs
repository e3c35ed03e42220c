//! One file for each sub-command.

mod bench;
mod config;
mod doctor;
mod train;

use crate::cli::{Command, ConfigCommand};
use crate::error::Error;

/// Does what was typed.
pub(crate) fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Train(args) => train::run(args),
        Command::Config(ConfigCommand::Show(layers)) => config::show(&layers),
        Command::Bench(args) => bench::run(&args),
        Command::Doctor => doctor::run(),
    }
}
