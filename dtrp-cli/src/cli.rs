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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command, CommandFactory};
    use std::any::TypeId;
    use std::env::home_dir;
    use std::path::PathBuf;

    /// Every argument of the command and of those below it, with the words that lead there.
    fn arguments(command: &Command, words: &str, all: &mut Vec<(String, Arg)>) {
        let words = format!("{words} {}", command.get_name());
        all.extend(command.get_arguments().map(|arg| (words.clone(), arg.clone())));
        command
            .get_subcommands()
            .for_each(|below| arguments(below, &words, all));
    }

    #[test]
    fn every_option_is_documented() {
        let mut all = Vec::new();
        let mut cli = Cli::command();
        cli.build();
        arguments(&cli, "", &mut all);
        for (command, arg) in all {
            assert!(arg.get_help().is_some(), "{command} {arg} has no help");
        }
    }

    #[test]
    fn the_home_folder_is_expanded_in_every_path() {
        let mut all = Vec::new();
        let mut cli = Cli::command();
        cli.build();
        arguments(&cli, "", &mut all);
        let mut paths = 0;
        for (command, arg) in all {
            let what = format!("{command} {arg}");
            let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
            let names = arg.get_value_names().unwrap_or_default();
            let called_path = names
                .iter()
                .any(|name| matches!(name.as_str(), "FILE" | "DIR" | "FOLDER" | "LIBRARY"));
            if !is_path && !called_path {
                continue;
            }
            paths += 1;
            let alone = Command::new("x").arg(Arg::new("path").value_parser(arg.get_value_parser().clone()));
            let read = |path: &str| alone.clone().try_get_matches_from(["x", path]);
            // What holds a path in a type of its own is asked for its error alone.
            if is_path {
                let expanded = read("~/a").unwrap();
                let expanded = expanded.get_one::<PathBuf>("path").unwrap();
                assert_eq!(*expanded, home_dir().unwrap().join("a"), "{what}: see `path_argument`");
            }
            let error = read("~nobody/a").map(drop).unwrap_err().to_string();
            assert!(error.contains("was not expanded"), "{what}: {error}");
        }
        assert!(paths >= 14, "{paths}");
    }
}
