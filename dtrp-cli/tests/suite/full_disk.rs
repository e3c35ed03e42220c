//! A disk that is full: one clear error, nothing half, and how the run ended. Once on a small tmpfs in a mount namespace of its
//! own, where that may be made, and everywhere with a limit on the size of files (RLIMIT_FSIZE), which fails in the same calls.

use crate::support::{Place, Ran, limit_files};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs with files of at most so many bytes.
fn with_limit(place: &Place, args: &[&str], bytes: u64) -> Ran {
    let mut command = place.command(args);
    limit_files(&mut command, bytes);
    Ran::of(command.output().unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn one_error(ran: &Ran, file: &str) {
    assert_eq!(ran.code, 9, "{}", ran.stderr);
    let errors: Vec<_> = ran.stderr.lines().filter(|line| line.contains("error")).collect();
    assert_eq!(errors.len(), 1, "{}", ran.stderr);
    assert!(errors[0].contains(file), "{}", ran.stderr);
}

#[test]
fn weights_that_do_not_fit_leave_nothing() {
    let place = Place::new();
    // The weights of the default network need 700 kB.
    let ran = with_limit(&place, &["train", "--name", "a", "--set", "run.max_steps=3"], 100_000);
    one_error(&ran, "weights.safetensors: cannot be written: File too large");
    assert_eq!(place.summary("a")["end"], "failed");
    let expected = ["config.yaml", "metrics.jsonl", "schedule.txt", "summary.json"];
    assert_eq!(names(&place.file("runs/a")), expected);
}

#[test]
fn metrics_end_in_a_whole_line() {
    let place = Place::new();
    let sets = [
        "model={name: tiny}",
        "run.log_every=1",
        "run.progress=none",
        "run.epochs=30",
    ];
    let mut args = vec!["train", "--name", "a"];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    for limit in [40_000, 40_033, 40_071] {
        let ran = with_limit(&place, &args, limit);
        one_error(&ran, "metrics.jsonl: cannot write: File too large");
        let metrics = place.read("a/metrics.jsonl");
        assert!(
            metrics.ends_with('\n') && metrics.len() as u64 + 300 > limit,
            "{}",
            metrics.len()
        );
        let whole = metrics.lines().all(|line| serde_json::from_str::<Value>(line).is_ok());
        assert!(whole, "{metrics}");
        assert_eq!(place.summary("a")["end"], "failed");
        assert!(names(&place.file("runs/a")).iter().all(|name| !name.starts_with('.')));
    }
}

#[test]
fn events_for_tensorboard_end_in_a_whole_record() {
    let place = Place::new();
    // The configuration stands there too, a long one, so that this file is the first to be too long.
    let augment = format!("data.augment='{}'", "crop:1,".repeat(300).trim_end_matches(','));
    let sets = [
        "model={name: tiny}",
        "data.limit=64",
        "data.test_limit=16",
        "run.progress=none",
        "run.epochs=400",
        augment.as_str(),
        "logging={csv: true, tensorboard: true}",
    ];
    let mut args = vec!["train", "--name", "a"];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    let ran = with_limit(&place, &args, 10_000);
    one_error(&ran, "events.out.tfevents.");
    let bytes = crate::logging::events_file(&place, "a");
    assert!(
        crate::logging::records(&bytes).len() > 10 && bytes.len() > 9_000,
        "{}",
        bytes.len()
    );
    assert!(place.read("a/epochs.csv").ends_with('\n'));
    assert_eq!(place.summary("a")["end"], "failed");
}

#[test]
fn a_folder_that_cannot_be_filled_is_not_there() {
    let place = Place::new();
    let ran = with_limit(&place, &["train", "--name", "a"], 100);
    one_error(&ran, "config.yaml: cannot write");
    assert!(names(&place.file("runs")).is_empty());
}

/// What `script` prints in a mount namespace of its own, where `small` is a disk of 256 kB.
fn on_a_small_disk(place: &Place, script: &str) -> Option<Ran> {
    fs::create_dir(place.file("small")).unwrap();
    let mount = "mount -t tmpfs -o size=256k tmpfs small || exit 77\n";
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "sh",
        "-c",
        &format!("{mount}{script}"),
        env!("CARGO_BIN_EXE_dtrp"),
    ]);
    let output = command.current_dir(place.path()).output().ok()?;
    (output.status.code() == Some(0)).then(|| Ran::of(output))
}

#[test]
fn a_small_disk_is_no_fuller_than_before() {
    let place = Place::new();
    let script = r#"
        "$0" train -q --dir small --name a --set run.max_steps=100; echo "code $?"
        "$0" train -q --dir small --name b --set 'model={name: tiny}' --set run.log_every=1 --set run.epochs=1000; echo "code $?"
        for run in a b; do ls -A small/$run; grep '"end"' small/$run/summary.json; done
        tail -c 1 small/b/metrics.jsonl | od -c"#;
    let Some(ran) = on_a_small_disk(&place, script) else {
        eprintln!("not tested: no tmpfs may be mounted here");
        return;
    };
    assert_eq!(
        ran.stdout.matches("code 9").count(),
        2,
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(ran.stdout.matches(r#""end": "failed""#).count(), 2, "{}", ran.stdout);
    assert!(
        !ran.stdout.contains(".part") && !ran.stdout.contains(".reserve"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains(r"\n"), "{}", ran.stdout);
    assert_eq!(ran.stderr.matches("error: ").count(), 2, "{}", ran.stderr);
}
