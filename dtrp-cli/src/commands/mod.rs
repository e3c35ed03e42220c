//! One file for each sub-command.

mod bench;
mod compare;
mod config;
mod data;
mod doctor;
mod models;
mod predictors;
mod profile;
mod runs;
mod schedule;
mod simulate;
mod train;
mod training;

pub(crate) use compare::Compare;
pub(crate) use data::DataCommand;
pub(crate) use models::ModelsCommand;
pub(crate) use predictors::PredictorsCommand;
pub(crate) use profile::Profile;
pub(crate) use runs::Failure;
pub(crate) use schedule::ScheduleCommand;
pub(crate) use simulate::Simulate;

use crate::cli::{Command, ConfigCommand};
use crate::error::Error;

/// Does what was typed.
pub(crate) fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Train(args) => train::run(args),
        Command::Config(ConfigCommand::Show(layers)) => config::show(&layers),
        Command::Compare(args) => compare::run(&args),
        Command::Schedule(command) => schedule::run(command),
        Command::Data(command) => data::run(&command),
        Command::Models(command) => models::run(&command),
        Command::Predictors(command) => predictors::run(&command),
        Command::Simulate(args) => simulate::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Doctor => doctor::run(),
    }
}
