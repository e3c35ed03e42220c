//! The `dtrp` command: thin layers over the other crates.
//!
//! ```text
//! cli        what can be typed                     config    YAML and --set, to the settings of a training
//! commands   one file for each sub-command         run       the run's folder and its files
//! error      what can go wrong, and exit codes     report    what is printed on stdout
//! costs      of blocks, from a file                progress  what is shown meanwhile on stderr
//! stop       Ctrl-C                                plan      a dry run, as text
//! end        leaving nothing behind that hangs
//! ```
//!
//! Training itself is `dtrp-train`; whatever is written or shown of it is a subscriber of its events.
//!
//! [`main`] is the whole program. Who wants it with models or predictors of their own links them into a program whose
//! `main` calls it.

mod cli;
mod commands;
mod config;
mod costs;
mod end;
mod error;
mod plan;
mod progress;
mod report;
mod run;
mod stop;

use clap::Parser;
use dtrp_predictors::loader::only_we_exit;
use std::panic::catch_unwind;
use std::process::ExitCode;

/// Reads the command line, does what it says, and returns the exit code documented in `dtrp --help`.
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    progress::start_logging(cli.verbose, cli.quiet);
    only_we_exit();
    // A panic has told its story on stderr already; what is left is the exit code of a bug.
    let code = match catch_unwind(|| commands::run(cli.command)) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            progress::line(&format!("error: {error}"));
            error.exit_code()
        }
        Err(_) => {
            progress::line("error: dtrp panicked, which is a bug");
            error::BUG
        }
    };
    end::with(code)
}
