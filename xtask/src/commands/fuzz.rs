//! `cargo xtask fuzz`: everything that is read from files is read from arbitrary bytes, led by coverage (`fuzz/`).
//!
//! Seeds are copied from the tests and the corpus of bad inputs, so that nothing is kept twice; what a run adds to them stays in
//! `fuzz/corpus/`, what it finds in `fuzz/artifacts/`.

mod seeds;

use super::setup;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::libtorch::Request;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// For how long each target runs where nothing is said.
const SECONDS: u32 = 60;

/// What is fuzzed.
#[derive(Debug)]
struct Target {
    name: &'static str,
    /// Whether it is built with libtorch, which leaves out the address sanitizer: the program's own allocator is linked.
    torch: bool,
}

const TARGETS: [Target; 9] = [
    Target::new("programs", false),
    Target::new("images", false),
    Target::new("idx", false),
    Target::new("cifar", false),
    Target::new("descriptors", false),
    Target::new("options", false),
    Target::new("weights", true),
    Target::new("costs", true),
    Target::new("configuration", true),
];

/// Bytes of the longest input, seconds that one may take (instrumented, on a busy machine), megabytes in all and at once.
const LIMITS: [&str; 5] = [
    "-max_len=65536",
    "-timeout=25",
    "-rss_limit_mb=2048",
    "-malloc_limit_mb=1536",
    "-print_final_stats=1",
];

/// Runs one target, or each of them.
pub(crate) fn run(context: &Context, target: Option<&str>, seconds: Option<u32>) -> Result<()> {
    let seconds = seconds.unwrap_or(SECONDS);
    let targets: Vec<_> = TARGETS
        .iter()
        .filter(|one| target.is_none_or(|name| name == one.name))
        .collect();
    if targets.is_empty() {
        let names = TARGETS.map(|target| target.name).join(", ");
        let wrong = target.unwrap_or_default();
        return Err(Error::Usage(format!("there is no target `{wrong}`; there are {names}")));
    }
    if !has_cargo_fuzz(context) {
        let text = "cargo-fuzz is not installed; `cargo install cargo-fuzz` gets it";
        return Err(Error::Check(text.to_owned()));
    }
    let context = if targets.iter().any(|target| target.torch) {
        setup::ensure(context, Request::default())?
    } else {
        context.clone()
    };
    let mut outcomes = Vec::new();
    for target in targets {
        seeds::write(&context, target.name)?;
        outcomes.push(target.run(&context, seconds)?);
    }
    println!("target           seconds   executions     edges  found");
    outcomes.iter().for_each(|outcome| println!("{outcome}"));
    let found = outcomes.iter().filter(|outcome| outcome.failed).count();
    if found == 0 {
        return Ok(());
    }
    Err(Error::Check(format!("{found} targets found something, or did not run")))
}

fn has_cargo_fuzz(context: &Context) -> bool {
    let mut version = cargo_fuzz(context);
    version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// `cargo fuzz`, which needs flags that only nightly compilers take, unless they are told otherwise.
fn cargo_fuzz(context: &Context) -> Command {
    let mut cargo = context.with_var("RUSTC_BOOTSTRAP", "1").cargo();
    cargo.arg("fuzz");
    cargo
}

impl Target {
    const fn new(name: &'static str, torch: bool) -> Self {
        Self { name, torch }
    }

    /// Builds and runs it, passing on what it prints.
    fn run(&self, context: &Context, seconds: u32) -> Result<Outcome> {
        let mut fuzz = cargo_fuzz(context);
        fuzz.args(["run", self.name]);
        if self.torch {
            // In a folder of its own: other flags, so that everything is built twice.
            fuzz.args([
                "--features",
                "torch",
                "--sanitizer",
                "none",
                "--target-dir",
                "fuzz/target/torch",
            ]);
        }
        fuzz.arg("--").args(LIMITS).arg(format!("-max_total_time={seconds}"));
        let starting = || Error::io("start `cargo fuzz`");
        let mut child = fuzz.stderr(Stdio::piped()).spawn().map_err(starting())?;
        let mut outcome = Outcome {
            target: self.name,
            seconds,
            ..Outcome::default()
        };
        if let Some(said) = child.stderr.take() {
            for line in BufReader::new(said).split(b'\n').map_while(std::io::Result::ok) {
                let line = String::from_utf8_lossy(&line);
                eprintln!("{line}");
                outcome.hear(&line);
            }
        }
        outcome.failed = !child.wait().map_err(starting())?.success();
        Ok(outcome)
    }
}

/// What came of a target.
#[derive(Debug, Default)]
struct Outcome {
    target: &'static str,
    seconds: u32,
    executions: u64,
    edges: u64,
    failed: bool,
    /// The file that something was found with.
    found: Option<String>,
}

impl Outcome {
    /// Takes from a line of libFuzzer what it tells: `#283  NEW  cov: 89 ft: 144 …`, and the last lines.
    fn hear(&mut self, line: &str) {
        let after = |mark: &str| Some(line.split_once(mark)?.1.trim());
        let number = |text: &str| text.split_whitespace().next()?.parse().ok();
        if line.starts_with('#') {
            self.edges = after(" cov: ").and_then(number).unwrap_or(self.edges);
            self.executions = after("#").and_then(number).unwrap_or(self.executions);
        }
        if let Some(executed) = after("stat::number_of_executed_units:") {
            self.executions = number(executed).unwrap_or(self.executions);
        }
        if let Some(file) = after("Test unit written to ") {
            self.found = Some(file.to_owned());
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            seconds,
            executions,
            edges,
            ..
        } = self;
        let found = match &self.found {
            Some(file) => file,
            None if self.failed => "did not run to its end",
            None => "nothing",
        };
        write!(f, "{target:<16} {seconds:>7} {executions:>12} {edges:>9}  {found}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_what_was_said() {
        let mut outcome = Outcome {
            target: "idx",
            seconds: 60,
            ..Outcome::default()
        };
        for line in [
            "INFO: Seed: 1",
            "#172686\tDONE   cov: 1876 ft: 5223 corp: 511/20Kb lim: 413 exec/s: 2830 rss: 402Mb",
            "stat::number_of_executed_units: 172687",
        ] {
            outcome.hear(line);
        }
        assert_eq!(
            outcome.to_string(),
            "idx                   60       172687      1876  nothing"
        );
        outcome.hear("artifact_prefix='a/'; Test unit written to a/oom-85");
        assert!(outcome.to_string().ends_with("  a/oom-85"));
    }

    #[test]
    fn every_target_is_one_of_the_crate_and_the_other_way_round() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let files = std::fs::read_dir(workspace.join("fuzz/targets")).unwrap();
        let mut files: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut targets: Vec<_> = TARGETS.iter().map(|target| format!("{}.rs", target.name)).collect();
        files.sort();
        targets.sort();
        assert_eq!(files, targets);
    }
}
