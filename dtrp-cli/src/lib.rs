//! The `dtrp` command: thin layers over the other crates.
//!
//! ```text
//! cli        what can be typed                     config    YAML and --set, to the settings of a training
//! commands   one file for each sub-command         run       the run's folder and its files
//! error      what can go wrong, and exit codes     report    what a run came to, as text
//! costs      of blocks, from a file                progress  what is shown meanwhile on stderr
//! stop       Ctrl-C                                plan      a dry run, as text
//! output     stdout, files that a user names       memory    how much may be asked for
//! end        leaving nothing behind that hangs     schemas   of configurations, of a run's files
//! history    what runs have left, read back        page      one HTML page about runs
//! figures    curves, bars and times, drawn         serve     that page, for a browser here
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
mod figures;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod history;
mod memory;
mod output;
mod page;
mod plan;
mod progress;
mod report;
mod run;
mod schemas;
mod serve;
mod stop;

use clap::error::Error as UsageError;
use clap::{CommandFactory, Parser};
use dtrp_predictors::loader::only_we_exit;
use error::Error;
use progress::LogFormat;
use std::io::Write;
use std::panic::catch_unwind;
use std::process::ExitCode;

/// Reads the command line, does what it says, and returns the exit code documented in `dtrp --help`.
pub fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            progress::set_format(LogFormat::meant(std::env::args_os()));
            return usage(&error);
        }
    };
    memory::limit();
    progress::start_logging(cli.log_format, cli.verbose, cli.quiet);
    only_we_exit();
    // A panic has told its story on stderr already; what is left is the exit code of a bug.
    let code = match catch_unwind(|| commands::run(cli.command, cli::Cli::command())) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => failed(&error),
        Err(_) => {
            progress::last_error("dtrp panicked, which is a bug", error::BUG);
            error::BUG
        }
    };
    end::with(code)
}

/// Tells an error, and returns its code.
fn failed(error: &Error) -> u8 {
    progress::last_error(&error.to_string(), error.exit_code());
    error.exit_code()
}

/// What clap has to say instead of a command: wrong usage on stderr, help and version on stdout.
fn usage(error: &UsageError) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        return match output::checked(printed) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => ExitCode::from(failed(&error)),
        };
    }
    let text = error.render().to_string();
    if output::visible(&text) == text && !progress::is_json() {
        // With colours.
        let _ = error.print();
    } else {
        progress::usage(text.trim_end(), error::USAGE);
    }
    ExitCode::from(error::USAGE)
}
