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
pub(crate) const LONG: [&str; 5] = ["compare", "--set", "model={name: tiny}", "--set", "run.epochs=1000000"];

pub(crate) fn compare(place: &Place, args: &[&str]) -> Ran {
    place.dtrp(&[&TINY, args].concat())
}

pub(crate) fn json(ran: &Ran) -> Vec<Value> {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

pub(crate) fn seeds(variant: &Value) -> Vec<u64> {
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
pub(crate) fn start(place: &Place, args: &[&str]) -> (Child, BufReader<ChildStderr>) {
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

pub(crate) fn wait_for_metrics(place: &Place, folder: &str) {
    let metrics = place.file(folder).join("metrics.jsonl");
    wait_until(|| fs::metadata(&metrics).is_ok_and(|found| found.len() > 0));
}

pub(crate) fn children(child: &Child) -> Vec<i32> {
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

pub(crate) fn is_gone(process: i32) -> bool {
    // A zombie is no longer anybody's work.
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

pub(crate) fn signal(process: i32, number: i32) {
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
