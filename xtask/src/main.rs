//! `cargo xtask`: the build system of dtrp.
//!
//! It finds or provisions libtorch, builds, tests, and starts the `dtrp` program; it knows nothing of training. It
//! depends on no other crate of the workspace, so it builds in seconds on a machine that has no libtorch yet.
//!
//! | module | subject |
//! |---|---|
//! | [`cli`] | the command line: what the words mean, the help text |
//! | [`commands`] | one file a sub-command |
//! | [`libtorch`] | which libtorch is used, and how one is provisioned |
//! | [`cargo`] | starting cargo and reading what it says |
//! | [`tidy`] | the house rules that `ci` checks |
//! | [`python`] | starting python3, safe from the current folder |
//! | [`context`] | the workspace folder and the environment, as data |

mod cargo;
mod cli;
mod commands;
mod context;
mod error;
mod libtorch;
mod python;
mod tally;
mod tidy;

use context::Context;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = Context::from_process().and_then(|context| {
        let words: Vec<_> = std::env::args_os().skip(1).collect();
        commands::run(&context, cli::parse(&words)?)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, error::Error::Told(_)) {
                eprintln!("{error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}
