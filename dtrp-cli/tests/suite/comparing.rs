//! `dtrp compare`: what is varied, what is told before the first run, and what is left when a run fails or somebody stops it.

use crate::support::{Place, Ran};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

const TINY: [&str; 8] = [
    "compare",
    "--set",
    "model={name: tiny}",
    "--set",
    "run.max_steps=4",
    "--set",
    "run.log_every=1",
    "--variant",
];

/// Runs that go on until somebody ends them.
const LONG: [&str; 5] = ["compare", "--set", "model={name: tiny}", "--set", "run.epochs=1000000"];

fn compare(place: &Place, args: &[&str]) -> Ran {
    place.dtrp(&[&TINY, args].concat())
}

fn json(ran: &Ran) -> Vec<Value> {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

fn seeds(variant: &Value) -> Vec<u64> {
    let runs = variant["runs"].as_array().unwrap();
    runs.iter().map(|run| run["seed"].as_u64().unwrap()).collect()
}

#[test]
fn seeds_count_from_the_configurations_or_are_listed() {
    let place = Place::new();
    let form = ["--format", "json"];
    for (args, a, b) in [
        (&["a:"][..], &[1][..], &[][..]),
        (&["a:", "--seeds", "3"], &[1, 2, 3], &[]),
        (&["a:", "--seeds", "2", "--set", "run.seed=5"], &[5, 6], &[]),
        (&["a:", "--variant", "b: run.seed=9", "--seeds", "2"], &[1, 2], &[9, 10]),
        (
            &["a:", "--variant", "b: optimizer.lr=0.01", "--seeds", "7,3"],
            &[7, 3],
            &[7, 3],
        ),
    ] {
        let ran = compare(&place, &[args, &form].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let variants = json(&ran);
        assert_eq!(seeds(&variants[0]), a, "{args:?}");
        assert_eq!(variants.get(1).map_or(Vec::new(), seeds), b, "{args:?}");
    }
    // The seed is what the run was trained with.
    let losses = |seed: &str| place.read(&format!("compare/a-seed{seed}/metrics.jsonl"));
    assert_ne!(losses("3"), losses("5"));
}

#[test]
fn what_is_wrong_is_told_before_the_first_run() {
    let place = Place::new();
    fs::write(place.file("v.yaml"), "a: {optimizer: {lr: fast}}\n").unwrap();
    for (args, code, says) in [
        (
            &["a:", "--set", "run.seed=x"][..],
            3,
            "run.seed is `x`, but must be a whole number",
        ),
        (
            &["a:", "--variant", "b: optimizer.lr=fast"],
            3,
            "optimizer.lr is `fast`",
        ),
        (
            &["a:", "--variant", "b: optimizer.momentom=1"],
            3,
            "did you mean optimizer.momentum?",
        ),
        (&["a:", "--variant", "a: run.seed=3"], 5, "two variants are called `a`"),
        (&["a: run.seed=3", "--seeds", "1,2"], 5, "sets run.seed"),
        (
            &["a:", "--set", "run.seed=18446744073709551615", "--seeds", "2"],
            5,
            "too large",
        ),
        (&["a:", "--seeds", "0"], 2, "from 1"),
        (&["a:", "--seeds", "1,x"], 2, "`x` is not a whole number"),
        (&["a b c"], 2, "NAME: PATH=VALUE"),
        (&["v.yaml"], 3, "optimizer.lr is `fast`"),
        (&["nowhere.yaml"], 5, "cannot be read"),
    ] {
        let ran = compare(&place, args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && !place.file("runs").exists(), "{args:?}");
    }
}

#[test]
fn what_cannot_be_trained_is_a_row() {
    let place = Place::new();
    let ran = compare(
        &place,
        &[
            "good:",
            "--variant",
            "too many: method.modules=90",
            "--variant",
            "wild: optimizer={lr: 1e30, weight_decay: 0}",
            "--format",
            "json",
        ],
    );
    // The code is that of what failed; what diverged is a result.
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let variants = json(&ran);
    assert_eq!(variants[0]["runs"][0]["end"], "finished");
    assert_eq!(variants[1]["failed"][0]["exit_code"], 5);
    let message = variants[1]["failed"][0]["message"].as_str().unwrap();
    assert!(message.contains("cannot be cut into 90 modules"), "{message}");
    assert_eq!(variants[2]["runs"][0]["end"], "diverged");
    // It was found before the first run.
    let told = ran.stderr.find("cannot be cut into 90").unwrap();
    assert!(told < ran.stderr.find("good, seed 1").unwrap(), "{}", ran.stderr);
    assert!(!place.file("runs/compare/too-many-seed1").exists());

    let ran = compare(
        &place,
        &["good:", "--variant", "wild: optimizer={lr: 1e30, weight_decay: 0}"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows: Vec<_> = ran.stdout.lines().collect();
    assert!(rows[0].ends_with("end") && rows[1].ends_with("finished") && rows[2].ends_with("diverged"));
}

#[test]
fn values_are_yaml_and_variants_may_be_in_a_file() {
    let place = Place::new();
    let file = "narrow: {model.width: 4}\ndeep:\n  model: {name: tiny, depth: 3}\n";
    fs::write(place.file("more.yaml"), file).unwrap();
    let flow = "flow: model={name: tiny, depth: 3} method.predictor={name: damped, options: {rho: 0.5}}";
    let ran = compare(&place, &[flow, "--variant", "more.yaml", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let variants = json(&ran);
    let names: Vec<_> = variants
        .iter()
        .map(|variant| variant["variant"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["flow", "narrow", "deep"]);
    let parameters = |variant: &Value| variant["runs"][0]["parameters"].as_u64().unwrap();
    assert_eq!(parameters(&variants[0]), parameters(&variants[2]));
    assert!(parameters(&variants[1]) < parameters(&variants[2]));
    assert_eq!(variants[0]["runs"][0]["predictor"], "damped");
}

#[test]
fn a_folder_whose_name_is_not_utf8_is_trained_into() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let dir = place.path().join(OsStr::from_bytes(b"caf\xe9"));
    let mut command = place.command(&[&TINY[..], &["a:"]].concat());
    let ran = Ran::of(command.arg("--dir").arg(&dir).output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(dir.join("a-seed1/summary.json").exists());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    let mut command = place.command(&[
        "predictors",
        "compare",
        "--predictor",
        "none",
        "--steps",
        "3",
        "--format",
        "json",
    ]);
    command.args(["--set", "model={name: tiny}"]);
    let ran = Ran::of(command.arg("--dir").arg(&dir).output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

/// A comparison that is told to say what it does; the lines that it says.
fn start(place: &Place, args: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut command = place.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    (child, stderr)
}

/// The process that trains for it, once it is under way.
fn child_of(child: &Child, place: &Place, folder: &str) -> i32 {
    wait_for_metrics(place, folder);
    children(child)[0]
}

fn wait_for_metrics(place: &Place, folder: &str) {
    let metrics = place.file(folder).join("metrics.jsonl");
    wait_until(|| fs::metadata(&metrics).is_ok_and(|found| found.len() > 0));
}

fn children(child: &Child) -> Vec<i32> {
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let text = fs::read_to_string(children).unwrap();
    text.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_gone(process: i32) -> bool {
    // A zombie is no longer anybody's work.
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn signal(process: i32, number: i32) {
    // SAFETY: sends a signal to a process that this test has started.
    assert_eq!(unsafe { libc::kill(process, number) }, 0);
}

#[test]
fn a_signal_ends_the_run_and_keeps_the_table() {
    let place = Place::new();
    for number in [libc::SIGINT, libc::SIGTERM] {
        let short = [
            "--variant",
            "short: run.max_steps=3",
            "--variant",
            "long:",
            "--variant",
            "never:",
        ];
        let dir = format!("runs/{number}");
        let args = [&LONG[..], &short, &["--dir", &dir]].concat();
        let (comparison, mut stderr) = start(&place, &args);
        let training = child_of(&comparison, &place, &format!("{dir}/long-seed1"));
        signal(comparison.id().cast_signed(), number);
        let mut told = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut told).unwrap();
        let ran = Ran::of(comparison.wait_with_output().unwrap());
        assert_eq!(ran.code, 130, "{told}");
        assert!(is_gone(training));
        let rows: Vec<_> = ran.stdout.lines().collect();
        assert!(
            rows[1].starts_with("short") && rows[1].ends_with("finished"),
            "{}",
            ran.stdout
        );
        assert!(
            rows[2].ends_with("missing") && rows[3].ends_with("missing"),
            "{}",
            ran.stdout
        );
        let missing = "error: interrupted; these runs are missing: long (seed 1); never (seed 1)";
        assert!(told.contains(missing), "{told}");
        // The run that went on ended in good order.
        let summary = fs::read_to_string(place.file(&dir).join("long-seed1/summary.json")).unwrap();
        assert!(summary.contains(r#""end": "interrupted""#), "{summary}");
        assert!(!place.file(&dir).join("never-seed1").exists());
    }
}

#[test]
fn no_run_outlives_the_comparison() {
    let place = Place::new();
    let args = [&LONG[..], &["--variant", "long:"]].concat();
    let (mut comparison, _stderr) = start(&place, &args);
    let training = child_of(&comparison, &place, "runs/compare/long-seed1");
    comparison.kill().unwrap();
    comparison.wait().unwrap();
    wait_until(|| is_gone(training));
}

#[test]
fn a_run_that_the_system_kills_is_told_as_such() {
    let place = Place::new();
    let args = [
        &LONG[..],
        &["--variant", "long:", "--variant", "short: run.max_steps=3"],
    ]
    .concat();
    let (comparison, stderr) = start(&place, &args);
    let training = child_of(&comparison, &place, "runs/compare/long-seed1");
    signal(training, libc::SIGKILL);
    let told: Vec<_> = stderr.lines().map(Result::unwrap).collect();
    let ran = Ran::of(comparison.wait_with_output().unwrap());
    assert_eq!(ran.code, 10, "{told:?}");
    assert!(ran.stdout.contains("killed (signal 9 SIGKILL)"), "{}", ran.stdout);
    assert!(
        ran.stdout
            .lines()
            .any(|line| line.starts_with("short") && line.ends_with("finished"))
    );
    let last = told.last().unwrap();
    assert!(
        last.contains("the run `long` was killed") && last.contains("memory runs out"),
        "{last}"
    );
    assert!(!told.iter().any(|line| line.contains("bug")), "{told:?}");
}

#[test]
fn predictors_are_compared_in_the_same_way() {
    let place = Place::new();
    let sets = [
        "--set",
        "model={name: tiny}",
        "--predictor",
        "none",
        "--predictor",
        "damped",
    ];
    let args = [&["predictors", "compare", "--steps", "10000000"][..], &sets].concat();
    let (comparison, mut stderr) = start(&place, &args);
    let training = child_of(&comparison, &place, "runs/predictors/none-lockstep");
    signal(training, libc::SIGKILL);
    child_of(&comparison, &place, "runs/predictors/damped-lockstep");
    signal(comparison.id().cast_signed(), libc::SIGTERM);
    let mut told = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut told).unwrap();
    let ran = Ran::of(comparison.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{told}");
    assert!(ran.stdout.contains("killed (signal 9 SIGKILL)"), "{}", ran.stdout);
    assert!(told.contains("these runs are missing: damped, lockstep"), "{told}");
}

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
