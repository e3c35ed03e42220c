//! One file for each sub-command.

mod bench;
mod compare;
mod completions;
mod config;
mod data;
mod doctor;
mod eval;
#[cfg(test)]
mod every_key;
mod export;
mod lr_find;
mod man;
mod models;
mod plot;
mod predict;
mod predictors;
mod profile;
mod report;
mod runs;
mod schedule;
mod schema;
mod simulate;
mod train;
mod trained;
mod training;
mod watch;

#[cfg(feature = "fuzzing")]
pub(crate) use compare::combined;
pub(crate) use train::EXAMPLES;

use crate::error::Error;
use bench::Bench;
use clap::Subcommand;
use compare::{Compare, Sweep};
use completions::Completions;
use config::ConfigCommand;
use data::DataCommand;
use eval::Eval;
use export::Export;
use lr_find::LrFind;
use man::Man;
use models::ModelsCommand;
use plot::Plot;
use predict::Predict;
use predictors::PredictorsCommand;
use profile::Profile;
use report::Report;
use schedule::ScheduleCommand;
use schema::SchemaCommand;
use simulate::Simulate;
use train::Train;
use watch::Watch;

/// The sub-commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a network; without arguments a small one on the digits that ship with dtrp
    Train(Train),
    /// Look at configurations
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Train several variants of a run and print one table
    Compare(Compare),
    /// The same over lists of values: every combination is a row
    Sweep(Sweep),
    /// Say how good the weights of a run are: accuracy, top-5, loss, each class, confusion
    Eval(Eval),
    /// Say what a trained network takes images for
    Predict(Predict),
    /// Write the weights of a run for other programs: safetensors for PyTorch, npz for NumPy
    Export(Export),
    /// Look for a learning rate: train at rates that grow until the loss explodes
    LrFind(LrFind),
    /// Write a page about one or many runs: curves, workers, mistakes, configurations
    Report(Report),
    /// Show that page of runs that go on, in a browser on this machine
    Watch(Watch),
    /// Draw one figure of one or many runs, as SVG or PNG
    Plot(Plot),
    /// Programs: show, check, list methods
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Data sets: list them, check a folder, fetch one
    #[command(subcommand)]
    Data(DataCommand),
    /// Networks: list families, show blocks
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Weight predictors: list, show, check a plug-in, compare
    #[command(subcommand)]
    Predictors(PredictorsCommand),
    /// Say when a program would run, over given or measured costs
    Simulate(Simulate),
    /// Measure what each block of a network costs here
    Profile(Profile),
    /// Measure a method against plain backpropagation on one worker, or two configurations, in pairs of runs
    Bench(Bench),
    /// Print the JSON schema of a configuration, or of a file that runs leave
    Schema(SchemaCommand),
    /// Print what completes the words of a command line, for a shell
    Completions(Completions),
    /// Print the page for `man`, of the program or of one of its commands
    Man(Man),
    /// Check libtorch, devices, threads and memory allocator, and say what to do about what is wrong
    Doctor,
}

/// Does what was typed; `program` is all that can be.
pub(crate) fn run(command: Command, program: clap::Command) -> Result<(), Error> {
    match command {
        Command::Train(args) => train::run(args),
        Command::Config(command) => config::run(&command),
        Command::Compare(args) => compare::run(&args),
        Command::Sweep(args) => compare::sweep(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Export(args) => export::run(&args),
        Command::LrFind(args) => lr_find::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Plot(args) => plot::run(&args),
        Command::Schedule(command) => schedule::run(command),
        Command::Data(command) => data::run(&command),
        Command::Models(command) => models::run(&command),
        Command::Predictors(command) => predictors::run(&command),
        Command::Simulate(args) => simulate::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args, program),
        Command::Man(args) => man::run(&args, program),
        Command::Doctor => doctor::run(),
    }
}
