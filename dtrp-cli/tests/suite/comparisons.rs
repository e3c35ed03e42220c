//! `dtrp compare` and `dtrp sweep`: going on, several runs at once, what is told of several seeds, and the page about them.

use crate::comparing::{LONG, children, compare, is_gone, json, seeds, signal, start, wait_for_metrics};
use crate::support::{Place, Ran};
use serde_json::Value;
use std::fs;
use std::io::BufReader;
use std::process::{Child, ChildStderr};

/// Asks a comparison to stop, and waits for its end. What it said, and what it printed.
fn interrupted(comparison: Child, mut stderr: BufReader<ChildStderr>) -> (String, Ran) {
    signal(comparison.id().cast_signed(), libc::SIGINT);
    let mut told = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut told).unwrap();
    let ran = Ran::of(comparison.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{told}");
    (told, ran)
}

fn folders(place: &Place, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(place.file(dir)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn an_interrupted_comparison_goes_on_with_the_same_runs() {
    let place = Place::new();
    let with = |dir: &'static str| {
        let variants = [
            "--variant",
            "short: run.max_steps=3",
            "--variant",
            "long: run.epochs=60",
        ];
        [&["compare", "--set", "model={name: tiny}", "--dir", dir], &variants[..]].concat()
    };
    let (comparison, stderr) = start(&place, &with("runs/a"));
    wait_for_metrics(&place, "runs/a/long-seed1");
    let (told, _) = interrupted(comparison, stderr);
    assert!(
        told.contains("missing: long (seed 1); the same line with --resume goes on"),
        "{told}"
    );
    let short = place.read("a/short-seed1/summary.json");
    let ran = place.dtrp(&[&with("runs/a")[..], &["--resume"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for says in [
        "short, seed 1: finished before",
        "long, seed 1, from where it was broken off",
    ] {
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    // Neither was trained anew, and the second has the bits of a run that nobody has interrupted.
    assert_eq!(folders(&place, "runs/a"), ["long-seed1", "short-seed1"]);
    assert_eq!(place.read("a/short-seed1/summary.json"), short);
    let whole = place.dtrp(&with("runs/b"));
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let weights = |dir: &str| fs::read(place.file("runs").join(dir).join("long-seed1/weights.safetensors")).unwrap();
    assert!(weights("a") == weights("b"));
    // Once all is there, nothing is left to do.
    let again = place.dtrp(&[&with("runs/a")[..], &["--resume", "--format", "json"]].concat());
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(
        again.stderr.contains("long, seed 1: finished before"),
        "{}",
        again.stderr
    );
    assert_eq!(seeds(&json(&again)[1]), [1]);
}

#[test]
fn what_was_asked_for_otherwise_is_trained_anew() {
    let place = Place::new();
    assert_eq!(compare(&place, &["a:"]).code, 0);
    let ran = compare(&place, &["a: optimizer.lr=0.0123", "--resume", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("was asked for otherwise"), "{}", ran.stderr);
    assert_eq!(json(&ran)[0]["runs"][0]["lr"], 0.0123);
    assert_eq!(folders(&place, "runs/compare"), ["a-seed1", "a-seed1.1"]);
    // Without the flag every comparison is a new one.
    assert_eq!(compare(&place, &["a: optimizer.lr=0.0123"]).code, 0);
    assert_eq!(folders(&place, "runs/compare"), ["a-seed1", "a-seed1.1", "a-seed1.2"]);
}

#[test]
fn other_files_behind_the_same_path_are_refused() {
    let place = Place::new();
    place.train(&["model={name: tiny}", "run.max_steps=1", "run.name=start"]);
    fs::copy(place.file("runs/start/weights.safetensors"), place.file("w")).unwrap();
    let args = ["a: model.init_from=w", "--variant", "b:", "--resume"];
    assert_eq!(compare(&place, &args).code, 0);
    assert!(place.read("compare/a-seed1/asked.yaml").contains("# model.init_from "));
    // The same file, whenever it was written.
    let bytes = fs::read(place.file("w")).unwrap();
    fs::write(place.file("w"), &bytes).unwrap();
    let ran = compare(&place, &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("a, seed 1: finished before"), "{}", ran.stderr);
    place.train(&["model={name: tiny}", "run.max_steps=2", "run.name=other"]);
    fs::copy(place.file("runs/other/weights.safetensors"), place.file("w")).unwrap();
    let ran = compare(&place, &args);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let says = "runs/compare/a-seed1: what model.init_from names has changed since a, seed 1 was trained";
    assert!(ran.stderr.contains(says) && ran.stdout.is_empty(), "{}", ran.stderr);
    assert_eq!(folders(&place, "runs/compare"), ["a-seed1", "b-seed1"]);
    let ran = compare(&place, &args[..3]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn several_runs_go_on_at_once_and_end_together() {
    let place = Place::new();
    let variants = ["--variant", "a:", "--variant", "b:", "--variant", "c:", "--jobs", "2"];
    let (comparison, stderr) = start(&place, &[&LONG[..], &variants].concat());
    for run in ["a", "b"] {
        wait_for_metrics(&place, &format!("runs/compare/{run}-seed1"));
    }
    let training = children(&comparison);
    assert_eq!(training.len(), 2);
    let (told, ran) = interrupted(comparison, stderr);
    assert!(training.into_iter().all(is_gone));
    // No run has a result, so there is no table.
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    assert!(told.contains("a (seed 1); b (seed 1); c (seed 1)"), "{told}");
    for run in ["a", "b"] {
        let summary = place.read(&format!("compare/{run}-seed1/summary.json"));
        assert!(summary.contains(r#""end": "interrupted""#), "{summary}");
    }
    assert!(!place.file("runs/compare/c-seed1").exists());
}

#[test]
fn a_run_that_fails_loses_no_other() {
    let place = Place::new();
    fs::create_dir_all(place.file("runs/compare")).unwrap();
    fs::write(place.file("runs/compare/a-seed1"), "").unwrap();
    let ran = compare(
        &place,
        &[
            "a:",
            "--variant",
            "b:",
            "--jobs",
            "3",
            "--seeds",
            "2",
            "--format",
            "json",
        ],
    );
    assert_eq!(ran.code, 9, "{}", ran.stderr);
    let variants = json(&ran);
    assert_eq!(variants[0]["failed"][0]["exit_code"], 9);
    assert_eq!((seeds(&variants[0]), seeds(&variants[1])), (vec![2], vec![1, 2]));
}

#[test]
fn means_have_deviations_and_a_test_against_the_first() {
    let place = Place::new();
    let args = ["a:", "--variant", "b: optimizer.lr=0.0123", "--seeds", "3", "--format"];
    let ran = compare(&place, &[&args[..], &["json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let variants = json(&ran);
    let losses = |variant: &Value| -> Vec<f64> {
        let runs = variant["runs"].as_array().unwrap();
        runs.iter()
            .map(|run| run["final_train_loss"].as_f64().unwrap())
            .collect()
    };
    let spread = |numbers: &[f64]| {
        let mean = numbers.iter().sum::<f64>() / 3.0;
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        (mean, (squares / 2.0).sqrt())
    };
    let close = |value: &Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!((value - expected).abs() <= 1e-9 * expected.abs(), "{value} {expected}");
    };
    let (a, b) = (losses(&variants[0]), losses(&variants[1]));
    let statistics = &variants[0]["statistics"]["final_train_loss"];
    assert_eq!(statistics["runs"], 3);
    close(&statistics["mean"], spread(&a).0);
    close(&statistics["deviation"], spread(&a).1);
    assert!(variants[0]["paired"].is_null());
    let paired = &variants[1]["paired"]["final_train_loss"];
    let differences: Vec<f64> = b.iter().zip(&a).map(|(b, a)| b - a).collect();
    let (mean, deviation) = spread(&differences);
    let t = mean / (deviation / 3.0_f64.sqrt());
    assert_eq!(paired["seeds"], serde_json::json!([1, 2, 3]));
    close(&paired["t"], t);
    // With two degrees of freedom the tail has a closed form.
    close(&paired["p"], 1.0 - t.abs() / (t * t + 2.0).sqrt());

    let resumed = |form: &str| compare(&place, &[&args[..], &[form, "--resume"]].concat());
    let text = resumed("text").stdout;
    assert!(
        text.contains(" ± ") && text.contains("p: paired t-test of the test accuracy against `a`"),
        "{text}"
    );
    let latex = resumed("latex").stdout;
    assert!(
        latex.starts_with("\\begin{tabular}{lrr") && latex.contains(r"$\pm$"),
        "{latex}"
    );
    assert!(latex.contains(r"\%") && latex.ends_with("\\end{tabular}\n"), "{latex}");
    assert!(
        resumed("markdown")
            .stdout
            .starts_with("| variant | K | test accuracy | p |")
    );
    // One seed has neither.
    let one = compare(&place, &["a:", "--variant", "b: optimizer.lr=0.0123", "--resume"]).stdout;
    assert!(!one.contains('±') && !one.contains("t-test"), "{one}");
}

#[test]
fn a_sweep_trains_every_combination() {
    let place = Place::new();
    let tiny = ["--set", "model={name: tiny}", "--set", "run.max_steps=2"];
    let sweep = |lists: &[&str]| place.dtrp(&[&["sweep"], &tiny[..], lists].concat());
    let lists = [
        "--set-list",
        "optimizer.lr=0.1,0.05",
        "--set-list",
        "method.order=lockstep,eager",
    ];
    let ran = sweep(&[&lists[..], &["--jobs", "2", "--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = json(&ran);
    let found = found.iter().map(|variant| {
        let run = &variant["runs"][0];
        (
            variant["variant"].clone(),
            run["lr"].as_f64().unwrap(),
            run["order"].clone(),
        )
    });
    let expected = [(0.1, "lockstep"), (0.1, "eager"), (0.05, "lockstep"), (0.05, "eager")];
    let expected = expected.map(|(lr, order)| {
        let name = format!("optimizer.lr={lr} method.order={order}");
        (Value::from(name), lr, Value::from(order))
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(
        folders(&place, "runs/sweep")[0],
        "optimizer.lr-0.05-method.order-eager-seed1"
    );
    for (lists, code, says) in [
        (&[][..], 2, "--set-list"),
        (&["--set-list", "optimizer.lr"], 2, "PATH=VALUE,VALUE"),
        (&["--set-list", "optimizer.lr=0.1,fast"], 3, "optimizer.lr is `fast`"),
        (
            &["--set-list", "optimizer.lr=1,2", "--set-list", "optimizer.lr=3"],
            5,
            "has a list already",
        ),
    ] {
        let ran = sweep(lists);
        assert_eq!(ran.code, code, "{lists:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{lists:?}: {}", ran.stderr);
    }
}

#[test]
fn a_comparison_writes_the_page_about_its_runs() {
    let place = Place::new();
    let args = ["a:", "--variant", "b: optimizer.lr=0.0123", "--seeds", "2", "--report"];
    let ran = compare(&place, &[&args[..], &["page.html"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = fs::read_to_string(place.file("page.html")).unwrap();
    for says in ["a (2 seeds)", "b (2 seeds)", "confusion"] {
        assert!(page.contains(says), "{says}");
    }
    let ran = compare(&place, &[&args[..], &["nowhere/page.html", "--dir", "other"]].concat());
    assert_eq!(ran.code, 9, "{}", ran.stderr);
    assert!(ran.stderr.contains("nowhere/page.html: cannot write") && !place.file("other").exists());
}
