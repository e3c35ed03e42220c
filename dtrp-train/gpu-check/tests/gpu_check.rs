//! `dtrp gpu-check`, which compares the CPU with itself where it is told to.

use crate::build;
use crate::support::Place;
use serde_json::Value;

#[test]
fn the_cpu_equals_itself() {
    let place = Place::new();
    let check = |args: &[&str]| {
        let json = ["gpu-check", "--device", "cpu", "--json", "checks.json"];
        let ran = place.dtrp(&[&json, args].concat());
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let text = std::fs::read_to_string(place.file("checks.json")).unwrap();
        let results: Value = serde_json::from_str(&text).unwrap();
        (ran.stdout, results["checks"].as_array().unwrap().clone())
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
    let place = Place::new();
    // No machine has so many.
    let ran = place.dtrp(&["gpu-check", "--device", "cuda:77"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines.pop().unwrap().starts_with("0 ok, 0 failed, "));
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("skipped: device cuda:77 is not available: "))
    );
    let listed = place.dtrp(&["gpu-check", "--list"]).stdout;
    assert_eq!(listed.lines().count(), lines.len());
    assert!(listed.contains("weights f64 spectrain eager K=4\n"));
}
