//! `cargo xtask test`: all tests, by nextest where it is installed.

use crate::cargo;
use crate::context::Context;
use crate::error::Result;
use crate::tally::Tally;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::{Command, Stdio};

/// Runs the tests. With arguments they go to the runner alone; without, the documentation's examples are run too.
pub(crate) fn run(context: &Context, args: &[OsString], tally: &mut Tally) -> Result<()> {
    if args == ["--browser"] {
        return browser(context, tally);
    }
    let nextest = has_nextest(context);
    let mut tests = context.cargo();
    tests.args(if nextest {
        ["nextest", "run"].as_slice()
    } else {
        &["test"]
    });
    if !args.iter().any(selects_packages) {
        tests.arg("--workspace");
    }
    if args.is_empty() {
        tests.arg("--no-fail-fast");
        if !nextest {
            // The targets that nextest takes: no benchmarks, and the documentation's examples come below.
            tests.args(["--lib", "--bins", "--tests", "--examples"]);
        }
    }
    tests.args(args);
    keep_colours(&mut tests);
    cargo::count_tests(&mut tests, tally)?;
    if !args.is_empty() {
        return Ok(());
    }
    let mut examples = context.cargo();
    examples.args(["test", "--workspace", "--doc"]);
    keep_colours(&mut examples);
    cargo::count_tests(&mut examples, tally)
}

/// Runs the tests of pages in a browser, which must be there.
fn browser(context: &Context, tally: &mut Tally) -> Result<()> {
    let context = context.with_var("DTRP_BROWSER", "required");
    let mut tests = context.cargo();
    tests.args(["test", "--package", "dtrp-cli", "--test", "suite", "browser"]);
    keep_colours(&mut tests);
    cargo::count_tests(&mut tests, tally)
}

fn has_nextest(context: &Context) -> bool {
    let mut version = context.cargo();
    version
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// Whether an argument says which packages are meant.
fn selects_packages(arg: &OsString) -> bool {
    let arg = arg.to_string_lossy();
    let long = ["--package", "--workspace", "--all", "--manifest-path"];
    long.iter()
        .any(|name| arg == *name || arg.starts_with(&format!("{name}=")))
        || (arg.starts_with("-p") && !arg.starts_with("--"))
}

/// The runner's output is read on its way, so it cannot see that there is a terminal.
fn keep_colours(command: &mut Command) {
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_arguments() {
        let check = |arg: &str, is| assert_eq!(selects_packages(&arg.into()), is, "{arg}");
        check("-p", true);
        check("-pdtrp-core", true);
        check("--package=dtrp-core", true);
        check("--workspace", true);
        check("--profile", false);
        check("staleness", false);
    }
}
