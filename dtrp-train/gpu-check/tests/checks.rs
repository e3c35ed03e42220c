//! The program, which compares the CPU with itself where it is told to.

#[path = "../../../dtrp-predictors/tests/build/mod.rs"]
#[expect(dead_code, reason = "only the examples in C are built here")]
mod build;

use serde_json::Value;
use std::process::{Command, Output};

fn gpu_check(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtrp-gpu-check"));
    command.args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_cpu_equals_itself() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("checks.json");
    let check = |args: &[&str]| {
        let told = stdout(&gpu_check(
            &[&["--device", "cpu", "--json", json.to_str().unwrap()], args].concat(),
        ));
        let text = std::fs::read_to_string(&json).unwrap();
        let results: Value = serde_json::from_str(&text).unwrap();
        (told, results["checks"].as_array().unwrap().clone())
    };
    let (told, checks) = check(&["--only", "weights f64 dtrp"]);
    assert_eq!(checks.len(), 8, "two orders, one to four modules: {told}");
    assert!(checks.iter().all(|check| check["outcome"] == "ok"), "{told}");
    assert!(told.ends_with("8 ok, 0 failed, 0 skipped\n"), "{told}");
    let (_folder, plugin) = build::build_c(&build::examples().join("c-lookahead/lookahead.c"));
    let (told, checks) = check(&["--only", "predictor", "--host-plugin", plugin.to_str().unwrap()]);
    assert_eq!(checks.len(), 2);
    assert!(told.contains("ok predictor staged"), "{told}");
    assert!(told.contains("skipped: no --device-plugin"), "{told}");
    let (told, _) = check(&["--only", "dtrp", "--seconds", "0"]);
    assert!(
        told.contains("skipped: out of time: weights f32 dtrp eager K=2"),
        "{told}"
    );
}

#[test]
fn without_a_gpu_everything_is_skipped() {
    // No machine has so many.
    let told = stdout(&gpu_check(&["--device", "cuda:77"]));
    let mut lines: Vec<_> = told.lines().collect();
    assert!(lines.pop().unwrap().starts_with("0 ok, 0 failed, "));
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("skipped: device cuda:77 is not available: "))
    );
    let listed = stdout(&gpu_check(&["--list"]));
    assert_eq!(listed.lines().count(), lines.len());
    assert!(listed.contains("weights f64 spectrain eager K=4\n"));
}
