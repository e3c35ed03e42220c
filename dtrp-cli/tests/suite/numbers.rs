//! Numbers that are no numbers, or too large: told by name, at once, and nothing is left behind.

use crate::support::{Place, TINY};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Runs it and checks how it is refused.
fn refused(place: &Place, args: &[&str], code: i32, says: &[&str]) {
    let start = Instant::now();
    let ran = place.dtrp(args);
    assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    for part in says {
        assert!(ran.stderr.contains(part), "{args:?}: {}\nwanted: {part}", ran.stderr);
    }
    assert!(
        !ran.stderr.contains("panicked") && !ran.stderr.contains("frame #"),
        "{}",
        ran.stderr
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{args:?}");
    assert!(!place.file("runs").exists(), "{args:?} left a folder");
}

#[test]
fn numbers_that_are_not_finite_are_told_by_name() {
    let place = Place::new();
    for (text, says) in [
        ("optimizer: {lr: .nan}", "optimizer.lr: .nan is not a finite number"),
        (
            "optimizer: {schedule: {gamma: .inf}}",
            "optimizer.schedule.gamma: .inf is not a finite number",
        ),
        (
            "optimizer: {betas: [0.9, -.inf]}",
            "optimizer.betas[1]: -.inf is not a finite number",
        ),
        (
            "method: {predictor: {name: decayed, options: {rho: .nan}}}",
            "method.predictor.options.rho",
        ),
    ] {
        std::fs::write(place.file("a.yaml"), text).unwrap();
        refused(&place, &["train", "--config", "a.yaml"], 3, &["a.yaml", says]);
    }
    refused(
        &place,
        &["train", "--set", "optimizer.lr=.nan"],
        2,
        &["optimizer.lr=.nan", "not a finite number"],
    );
}

#[test]
fn programs_that_are_too_large_are_not_laid_out() {
    let place = Place::new();
    for (args, says) in [
        (
            &["schedule", "show", "--modules", "4294967296"][..],
            "the number of modules is 4294967296",
        ),
        (
            &["schedule", "show", "--modules", "10000", "--batches", "10000"],
            "batches",
        ),
        (&["schedule", "show", "--batches", "4294967295"], "batches"),
        (
            &[
                "schedule",
                "show",
                "--method",
                "gpipe",
                "--batches",
                "100000",
                "--micro-batches",
                "65535",
            ],
            "micro-batches",
        ),
        (&["schedule", "show", "--modules", "9000"], "table of"),
        (&["simulate", "--modules", "18446744073709551615"], "840 blocks"),
        (
            &["simulate", "--modules", "18446744073709551615", "--cuts", "auto"],
            "840 blocks",
        ),
        (
            &[
                "simulate",
                "--modules",
                "100000",
                "--method",
                "bp,dtrp",
                "--cuts",
                "auto",
            ],
            "840 blocks",
        ),
    ] {
        refused(&place, args, 5, &[says]);
    }
}

#[test]
fn a_training_that_is_too_large_is_not_begun() {
    let place = Place::new();
    for (set, code, says) in [
        ("method.modules=10000", 5, "10000 modules"),
        ("method.modules=4294967296", 3, "method.modules"),
        ("method.modules=18446744073709551615", 3, "method.modules"),
        ("data={name: synthetic, shape: [3, 1000000, 1000000]}", 3, "shape"),
        ("optimizer.lr=1e308", 3, "optimizer.lr"),
        ("run.threads_per_worker=1000", 3, "run.threads_per_worker"),
        ("model={name: tiny, width: 1000000}", 6, "not enough memory"),
    ] {
        let args = [&["train"][..], &["--set", set]].concat();
        refused(&place, &args, code, &[says]);
    }
}

/// What the memory of the process does not allow is out of memory, whichever library says so, and no abort.
#[test]
#[cfg(target_os = "linux")]
fn out_of_memory_at_the_start_is_told_as_such() {
    let place = Place::new();
    let dtrp = env!("CARGO_BIN_EXE_dtrp");
    let limited = |megabytes: u64, sets: &str| {
        let script = format!(
            "ulimit -v {}; exec {dtrp} train -q --set run.max_steps=1 {sets}",
            megabytes << 10
        );
        let mut command = std::process::Command::new("sh");
        crate::support::Ran::of(
            command
                .args(["-c", &script])
                .current_dir(place.path())
                .output()
                .unwrap(),
        )
    };
    for sets in [
        "--set 'model={name: vgg, depth: 11}' --set 'data={name: synthetic, shape: [3, 224, 224], batch_size: 8, train_samples: 8}'",
        "--set 'model={name: tiny, width: 8000}'",
    ] {
        let ran = limited(3000, sets);
        assert_eq!(ran.code, 6, "{sets}: {}", ran.stderr);
        assert!(ran.stderr.contains("not enough memory"), "{}", ran.stderr);
    }
}

#[test]
fn memory_that_is_not_known_is_not_told_as_none() {
    let place = Place::new();
    for args in [&["simulate"][..], &["simulate", "--method", "bp,dtrp"]] {
        let ran = place.dtrp(args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(!ran.stdout.contains("0 B"), "{}", ran.stdout);
    }
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&place.dtrp(&[&["simulate", "--format", "json"], args].concat()).stdout).unwrap()
    };
    assert!(json(&[])["workers"][0]["memory"].is_null());
    assert!(json(&["--method", "bp,dtrp"])["rows"][0]["peak_memory"].is_null());
}

#[test]
fn models_are_listed_for_other_programs_too() {
    let place = Place::new();
    let ran = place.dtrp(&["models", "list", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let families: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    // As are all other lists.
    for (what, name) in [("data", "digits"), ("predictors", "momentum"), ("schedule", "dtrp")] {
        let ran = place.dtrp(&[what, "list", "--format", "json"]);
        assert_eq!(ran.code, 0, "{what}: {}", ran.stderr);
        let list: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
        assert!(list.iter().any(|entry| entry["name"] == name), "{what}: {}", ran.stdout);
    }
    let ran = place.dtrp(&["predictors", "show", "damped", "--format", "json"]);
    let damped: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(damped["options"]["properties"]["rho"]["default"], 1.0);
    let resnet = families.iter().find(|family| family["name"] == "resnet-cifar").unwrap();
    assert_eq!(resnet["options"]["properties"]["depth"]["default"], 14);
    // What libtorch says is told without its stack.
    let ran = place.dtrp(&["models", "show", "resnet", "--size", "2"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let ran = place.dtrp(&[
        "models",
        "show",
        "tiny",
        "--channels",
        "1000000",
        "--option",
        "width=1000000",
    ]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("not enough memory") && !ran.stderr.contains("frame #"),
        "{}",
        ran.stderr
    );
}

#[test]
fn keys_that_a_run_does_not_use_are_told_and_others_are_not() {
    let place = Place::new();
    let told = |sets: &[&str]| {
        let ran = place.train(&[TINY, &["run.max_steps=1", "run.epochs=40"], sets].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let lines = ran
            .stderr
            .lines()
            .filter(|line| line.contains("WARN") && !line.contains("run.epochs"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = told(&["optimizer.schedule={name: multi-step, milestones: [32000, 48000]}"]);
    assert!(
        lines.len() == 1 && lines[0].contains("32000, 48000 are beyond"),
        "{lines:?}"
    );
    let lines = told(&["optimizer.schedule.warmup_epochs=100"]);
    assert!(
        lines.len() == 1 && lines[0].contains("optimizer.lr is never reached"),
        "{lines:?}"
    );
    let lines = told(&["optimizer.momentum=0"]);
    assert!(
        lines.len() == 1 && lines[0].contains("method.predictor has no effect"),
        "{lines:?}"
    );
    let lines = told(&["method.auxiliary=mlp"]);
    assert!(
        lines.len() == 1 && lines[0].contains("dtrp has no local losses"),
        "{lines:?}"
    );
}
