//! What can be typed.

use crate::commands::{Compare, DataCommand, ModelsCommand, PredictorsCommand, Profile, ScheduleCommand, Simulate};
use crate::config::{BuiltIn, Config, ConfigError, Set, expanded};
use crate::error::EXIT_CODES;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  dtrp train
      DTRP on two workers, on the handwritten digits that ship with dtrp
  dtrp train --config configs/cifar10-resnet20-dtrp-k2.yaml --set data.dir=/data/cifar10
      the same on CIFAR-10
  dtrp train --set method.modules=4 --set method.order=eager --name four
      four workers, eager order, results in runs/four
  dtrp train --set 'method.predictor={name: momentum, options: {rho: 0.5}}' --set run.max_steps=200
      a predictor with an option, and a short run
  dtrp config show --set optimizer.lr=0.05
      the configuration that a run would use
  dtrp schedule show --method dtrp --modules 3 --batches 6 --order eager
      a program as a table
  dtrp bench --pairs 5
      images per second against plain backpropagation
  dtrp bench --set method.cuts=auto --against method.cuts=even
      images per second with cuts that are measured against even ones";

/// Decoupled training of neural networks: every module on a worker of its own.
#[derive(Debug, Parser)]
#[command(name = "dtrp", version, max_term_width = 110)]
#[command(after_help = "`--help` shows examples and exit codes.")]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Cli {
    /// Say more on stderr (-vv: everything); RUST_LOG is finer
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing on stderr but warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

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
    /// Check libtorch, devices, threads and memory allocator, and say what to do about what is wrong
    Doctor,
}

/// A path as it was typed, with the home folder for a leading `~/` that the shell has left alone.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| expanded(&path).map_err(|expected| format!("must be {expected}")))
}

/// `dtrp config ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration that a run would use, as YAML
    Show(Layers),
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct Layers {
    /// YAML file; `-` is stdin [default: built in]
    #[arg(short, long, value_name = "FILE", value_parser = path())]
    pub(crate) config: Option<PathBuf>,
    /// Override a key, such as optimizer.lr=0.1; the value is YAML, and the last of several wins
    #[arg(short, long = "set", value_name = "PATH=VALUE")]
    pub(crate) sets: Vec<Set>,
}

impl Layers {
    /// Reads the configuration; `built_in` stands in for a file.
    pub(crate) fn load(&self, built_in: BuiltIn) -> Result<Config, ConfigError> {
        Config::load(self.config.as_ref(), built_in, &self.sets)
    }
}

/// `dtrp train`
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) layers: Layers,
    /// Name of the run's folder, the same as --set run.name=NAME
    #[arg(short, long)]
    pub(crate) name: Option<String>,
    /// Folder that the run's folder goes into, the same as --set run.dir=DIR
    #[arg(long, value_parser = path())]
    pub(crate) dir: Option<PathBuf>,
    /// Fail, instead of taking NAME-2, where a run of this name is still going on
    #[arg(long)]
    pub(crate) no_number: bool,
    /// Build everything and print the plan: modules, schedule, memory; train nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `dtrp bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) layers: Layers,
    /// Measure against the same configuration with these keys overridden, instead of against plain backpropagation
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) against: Vec<Set>,
    /// Measure against nothing
    #[arg(long, conflicts_with = "against")]
    pub(crate) alone: bool,
    /// Pairs of runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pairs: u32,
    /// Training steps (batches) of each run
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) steps: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
