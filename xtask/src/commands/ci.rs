//! `cargo xtask ci`: every check, cheapest first; stops at the first that fails.
//!
//! All steps share one target folder and two profiles (dev, release), so that the C++ wrappers of torch-sys, by far the
//! slowest thing to build, are built twice and no more.

use super::{dependencies, doc, setup, test};
use crate::cargo;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::libtorch::Request;
use crate::python;
use crate::tally::Tally;
use crate::tidy;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A step: its name, and what it does.
type Step = (&'static str, fn(&Context, &mut Tally) -> Result<()>);

const STEPS: [Step; 12] = [
    ("formatting", formatting),
    ("house rules", house_rules),
    ("dependencies", dependencies_allowed),
    ("advisories", advisories),
    ("core without libtorch", core_without_libtorch),
    ("example plug-ins", example_plugins),
    ("set-up", set_up),
    ("clippy", clippy),
    ("documentation", documentation),
    ("tests", tests),
    ("third party's program", third_party),
    ("short training run", short_training_run),
];

/// Only where it is asked for: it fetches 2.5 GB once, and builds all that is built for release a second time.
const GPU_BUNDLE: Step = ("GPU bundle", gpu_bundle);

/// Runs the steps, and makes and tries the bundle for GPUs if asked to. The last line says how many tests passed and failed.
pub(crate) fn run(context: &Context, with_gpu_bundle: bool) -> Result<()> {
    let mut steps = STEPS.to_vec();
    if with_gpu_bundle {
        steps.push(GPU_BUNDLE);
    }
    // Incremental files only help the next build, and slow this one down.
    let context = context.with_var("CARGO_INCREMENTAL", "0");
    let mut tally = Tally::default();
    let mut report = Vec::new();
    let mut result = Ok(());
    for (number, (name, step)) in steps.iter().enumerate() {
        eprintln!("==> [{}/{}] {name}", number + 1, steps.len());
        let start = Instant::now();
        let done = step(&context, &mut tally);
        if let Err(error) = &done {
            eprintln!("{error}");
        }
        let verdict = match done {
            Ok(()) => "ok",
            Err(Error::Skipped(_)) => "skipped",
            Err(error) => {
                result = Err(error);
                "FAILED"
            }
        };
        report.push(format!(
            "  {name:<24}{verdict:<8}{:>7.1} s",
            start.elapsed().as_secs_f64()
        ));
        if result.is_err() {
            break;
        }
    }
    println!("\nci {}:", if result.is_ok() { "passed" } else { "failed" });
    for line in report {
        println!("{line}");
    }
    if result.is_err() && tally.failed == 0 {
        tally.failed = 1; // the step itself
    }
    println!("{tally}");
    result.map_err(|error| Error::Told(Box::new(error)))
}

/// Where there is no GPU the script skips every check, and that is well.
fn gpu_bundle(context: &Context, _: &mut Tally) -> Result<()> {
    super::gpu_bundle::run(context, None)?;
    let script = super::gpu_bundle::folder(context).join("run.py");
    cargo::run(&mut python::file(context, "python3", &script))
}

fn formatting(context: &Context, _: &mut Tally) -> Result<()> {
    cargo::run(context.cargo().args(["fmt", "--all", "--check"]))
}

fn house_rules(context: &Context, _: &mut Tally) -> Result<()> {
    tidy::check(context)
}

fn dependencies_allowed(context: &Context, _: &mut Tally) -> Result<()> {
    dependencies::check(context)
}

fn advisories(context: &Context, _: &mut Tally) -> Result<()> {
    dependencies::advisories(context)
}

/// Schedules, analysis and the threaded engine need no tensor library, and their tests neither.
fn core_without_libtorch(context: &Context, tally: &mut Tally) -> Result<()> {
    let mut tests = context.cargo();
    tests.args(["test", "--package", "dtrp-core", "--no-default-features"]);
    cargo::count_tests(&mut tests, tally)
}

/// The examples are what a third party has: crates of their own, tested without libtorch, and without the network once
/// their locked dependencies are there.
fn example_plugins(context: &Context, tally: &mut Tally) -> Result<()> {
    let target = target(context);
    for manifest in example_manifests(&context.workspace.join("examples/plugins"))? {
        let test = |last: &str| {
            let mut test = context.cargo();
            test.args(["test", "--locked", last, "--manifest-path"]);
            // Where the tests of dtrp-predictors build them too.
            test.arg(&manifest).arg("--target-dir");
            test.arg(target.join("tmp/plugins"));
            for flags in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
                test.env_remove(flags);
            }
            test
        };
        cargo::run(&mut test("--no-run"))?;
        cargo::count_tests(&mut test("--offline"), tally)?;
    }
    Ok(())
}

/// Where the workspace is built.
fn target(context: &Context) -> PathBuf {
    let folder = context.var("CARGO_TARGET_DIR");
    folder.map_or_else(|| context.workspace.join("target"), PathBuf::from)
}

/// The manifests of the folders in `examples`, sorted; there must be some.
fn example_manifests(examples: &Path) -> Result<Vec<PathBuf>> {
    let reading = Error::io(format!("read {}", examples.display()));
    let entries = std::fs::read_dir(examples).map_err(reading)?;
    let manifests = entries.flatten().map(|e| e.path().join("Cargo.toml"));
    let mut manifests: Vec<_> = manifests.filter(|path| path.is_file()).collect();
    manifests.sort();
    if manifests.is_empty() {
        let text = format!("{} holds no crate", examples.display());
        return Err(Error::Check(text));
    }
    Ok(manifests)
}

fn set_up(context: &Context, _: &mut Tally) -> Result<()> {
    setup::run(context, Request::default())
}

fn clippy(context: &Context, _: &mut Tally) -> Result<()> {
    let context = setup::ensure(context, Request::default())?;
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    cargo::run(context.cargo().args(args))
}

fn documentation(context: &Context, _: &mut Tally) -> Result<()> {
    let context = setup::ensure(context, Request::default())?;
    doc::run(&context.with_var("RUSTDOCFLAGS", "-D warnings"), &[])
}

fn tests(context: &Context, tally: &mut Tally) -> Result<()> {
    test::run(&setup::ensure(context, Request::default())?, &[], tally)
}

/// The profile in which the workspace's tests are built, as far as torch-sys notices it: so the same build of it serves here.
const PROFILE: [&str; 8] = [
    "--config",
    "profile.dev.debug='line-tables-only'",
    "--config",
    "profile.dev.package.'*'.opt-level=1",
    "--config",
    "profile.dev.package.'*'.debug=false",
    "--config",
    "profile.dev.package.torch-sys.opt-level=0",
];

/// A crate outside the workspace, as a third party writes it: it builds, its program runs, and its tests pass.
fn third_party(context: &Context, tally: &mut Tally) -> Result<()> {
    let context = setup::ensure(context, Request::default())?;
    let folder = context.workspace.join("examples/outside");
    // With the workspace's versions nothing is built, nor fetched, that the tests did not need.
    std::fs::copy(context.workspace.join("Cargo.lock"), folder.join("Cargo.lock"))
        .map_err(Error::io("copy Cargo.lock"))?;
    let cargo = |command: &str| {
        let mut cargo = context.cargo();
        cargo.current_dir(&folder).arg(command);
        cargo
    };
    let built = |command: &str| {
        let mut cargo = cargo(command);
        cargo.arg("--offline").args(PROFILE);
        cargo.arg("--target-dir").arg(target(&context));
        cargo
    };
    cargo::run(cargo("fmt").arg("--check"))?;
    cargo::run(&mut built("run"))?;
    cargo::count_tests(&mut built("test"), tally)
}

/// What `cargo xtask train` does, but short: the shipped data, two workers.
const TRAIN: [&str; 4] = ["train", "--set", "run.max_steps=200", "--set"];
/// Guessing one of ten digits gives 0.1.
const ACCURACY: f64 = 0.5;

fn short_training_run(context: &Context, _: &mut Tally) -> Result<()> {
    let context = setup::ensure(context, Request::default())?;
    let program = cargo::build_dtrp(&context)?;
    let folder = program.with_file_name("ci-run");
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io(format!("remove {}", folder.display()))(error));
        }
        _ => {}
    }
    let mut train = context.command(program);
    train.args(TRAIN).arg(format!("run.dir={}", folder.display()));
    cargo::run(train.current_dir(&context.workspace))?;
    let summary = find_summary(&folder)
        .ok_or_else(|| Error::Check(format!("the run left no summary.json below {}", folder.display())))?;
    let accuracy = accuracy(&summary)?;
    eprintln!("test accuracy after the short run: {accuracy}");
    if accuracy > ACCURACY {
        return Ok(());
    }
    let file = summary.display();
    Err(Error::Check(format!(
        "{file}: final_test_accuracy is {accuracy}, not above {ACCURACY}"
    )))
}

/// The `summary.json` in this folder or below it.
fn find_summary(folder: &Path) -> Option<PathBuf> {
    let here = folder.join("summary.json");
    if here.is_file() {
        return Some(here);
    }
    let folders = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    folders
        .filter(|path| path.is_dir())
        .find_map(|path| find_summary(&path))
}

fn accuracy(summary: &Path) -> Result<f64> {
    let file = summary.display();
    let text = std::fs::read_to_string(summary).map_err(Error::io(format!("read {file}")))?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| Error::Check(format!("{file} is not JSON: {error}")))?;
    json["final_test_accuracy"]
        .as_f64()
        .ok_or_else(|| Error::Check(format!("{file} has no number final_test_accuracy")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let found = example_manifests(&workspace.join("examples/plugins")).unwrap();
        let names: Vec<_> = found
            .iter()
            .map(|path| path.parent().unwrap().file_name().unwrap())
            .collect();
        assert_eq!(names, ["linear-rule", "online"]);
        assert!(example_manifests(&workspace.join("docs")).is_err());
    }

    #[test]
    fn summaries() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find_summary(folder.path()), None);
        let run = folder.path().join("a/b");
        std::fs::create_dir_all(&run).unwrap();
        let file = run.join("summary.json");
        let check = |text: &str| {
            std::fs::write(&file, text).unwrap();
            assert_eq!(find_summary(folder.path()).as_ref(), Some(&file));
            accuracy(&file).ok()
        };
        assert_eq!(check(r#"{"final_test_accuracy": 0.97}"#), Some(0.97));
        assert_eq!(check(r#"{"final_test_accuracy": null}"#), None);
        assert_eq!(check("{"), None);
    }
}
