//! What can be typed.

use crate::commands::{Command, EXAMPLES};
use crate::error::EXIT_CODES;
use crate::progress::LogFormat;
use clap::Parser;

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
    /// What stderr is written as
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value = "human", env = LogFormat::VARIABLE)]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}
