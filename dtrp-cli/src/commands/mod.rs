//! One file for each sub-command.

mod bench;
mod compare;
mod config;
mod doctor;
pub(crate) mod schedule;
mod train;

pub(crate) use compare::Compare;
pub(crate) use schedule::ScheduleCommand;

use crate::cli::{Command, ConfigCommand};
use crate::error::Error;

/// Does what was typed.
pub(crate) fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Train(args) => train::run(args),
        Command::Config(ConfigCommand::Show(layers)) => config::show(&layers),
        Command::Compare(args) => compare::run(&args),
        Command::Schedule(command) => schedule::run(command),
        Command::Bench(args) => bench::run(&args),
        Command::Doctor => doctor::run(),
    }
}
