//! What is said, and where: results on stdout, everything else on stderr.

use crate::support::{Place, TINY};

#[test]
fn a_run_says_what_it_did() {
    let place = Place::new();
    let ran = place.tiny("a", &[]);
    for part in [
        "dtrp (lockstep, predictor momentum), 2 modules",
        "test accuracy",
        "worker  blocks",
        "results in runs/a",
    ] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    assert!(ran.stderr.contains("epoch   2  step     10"), "{}", ran.stderr);
    let quiet = place.dtrp(&[
        "train",
        "-q",
        "--set",
        "run.max_steps=1",
        "--set",
        "model.depth=8",
        "--name",
        "b",
    ]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn earlier_runs_are_kept() {
    let place = Place::new();
    place.tiny("a", &["run.seed=1", "run.max_steps=1"]);
    let ran = place.tiny("a", &["run.seed=2", "run.max_steps=1"]);
    assert!(
        ran.stderr.contains("the earlier run of this name is now in runs/a.1"),
        "{}",
        ran.stderr
    );
    assert!(place.read("a.1/config.yaml").contains("seed: 1"));
    assert!(place.read("a/config.yaml").contains("seed: 2"));
}

#[test]
fn a_dry_run_plans_and_trains_nothing() {
    let place = Place::new();
    let mut args = vec!["train", "--dry-run", "--set", "method.modules=3"];
    args.extend(["--set", "method.order=lockstep"]);
    args.extend(TINY.iter().flat_map(|set| ["--set", set]));
    let ran = place.dtrp(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in [
        "160 training and 64 test images of 1x8x8",
        "10 steps of 32 images (5 an epoch)",
        "module  blocks",
        "R1 B1 U1 F5+3",
        "memory by kind, at most",
        "module  device  stored inputs  weights  optimizer  prediction",
        "a step on random images took",
        "the machine has",
    ] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    assert!(!place.file("runs").exists());
}

#[test]
fn a_dry_run_runs_a_step() {
    let place = Place::new();
    // Where it would go on with a run, nothing of that changes.
    place.tiny("a", &[]);
    let before = place.read("a/metrics.jsonl");
    let ran = place.dtrp(&["train", "--dry-run", "--resume", "runs/a", "--set", "run.epochs=9"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("a step on random images took"), "{}", ran.stdout);
    assert_eq!(before, place.read("a/metrics.jsonl"));
}

#[test]
fn configurations_are_shown_as_they_would_be_used() {
    let place = Place::new();
    std::fs::write(place.file("a.yaml"), "method: {modules: 4}\n").unwrap();
    let ran = place.dtrp(&["config", "show", "-c", "a.yaml", "-s", "run.seed=7"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in [
        "modules: 4",
        "seed: 7",
        "order: eager",
        "augment: crop:1",
        "name: digits-resnet-cifar-dtrp-k4",
    ] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    let mut command = place.command(&["config", "show", "--config", "-"]);
    use std::io::Write;
    use std::process::Stdio;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&ran.stdout.into_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("modules: 4"));
}

#[test]
fn help_documents_the_exit_codes() {
    let ran = Place::new().dtrp(&["--help"]);
    assert_eq!(ran.code, 0);
    for code in [
        "  0  done",
        "  3  configuration",
        "  7  training has diverged",
        "130  interrupted",
    ] {
        assert!(ran.stdout.contains(code), "{}", ran.stdout);
    }
}

#[test]
fn the_shipped_configurations_are_valid() {
    let place = Place::new();
    let configs = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs");
    let files = std::fs::read_dir(configs).unwrap().map(|entry| entry.unwrap().path());
    let mut count = 0;
    for file in files.filter(|path| path.extension().is_some_and(|e| e == "yaml")) {
        let ran = place.dtrp(&["config", "show", "--config", &file.to_string_lossy()]);
        assert_eq!(ran.code, 0, "{}: {}", file.display(), ran.stderr);
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

#[test]
fn a_measurement_compares_two_runs() {
    let place = Place::new();
    let sets = [
        "model.depth=8",
        "model.width=4",
        "data.batch_size=16",
        "data.shape=[1, 8, 8]",
    ];
    let mut args = vec!["bench", "--pairs", "3", "--steps", "4", "--json"];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    args.extend(["--set", "method.cuts=even"]);
    let ran = place.dtrp(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let pairs = json["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    for pair in pairs {
        let [a, b, ratio] =
            ["baseline_images_per_second", "images_per_second", "ratio"].map(|key| pair[key].as_f64().unwrap());
        assert!(a > 0.0 && (b / a - ratio).abs() < 1e-9);
    }
    let [min, median, max] = ["min", "median", "max"].map(|key| json["ratio"][key].as_f64().unwrap());
    assert!(min <= median && median <= max);
    assert_eq!(json["busy_shares"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["baseline"], "bp on 1 worker");
    args.extend(["--against", "method.cuts=[1]", "--against", "method.name=fdg"]);
    args.extend(["--against", "method.order=null"]);
    let ran = place.dtrp(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(json["baseline"], "method.cuts=[1] method.name=fdg method.order=null");
    let ran = place.dtrp(&[&args[..args.len() - 6], &["--alone"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(json["baseline"].is_null() && json["ratio"].is_null());
    assert!(json["images_per_second"]["median"].as_f64() > Some(0.0));
    args.extend(["--against", "data.batch_size=8"]);
    let ran = place.dtrp(&args);
    assert_eq!(ran.code, 5);
    assert!(ran.stderr.contains("the same batches"), "{}", ran.stderr);
}
