//! Plug-ins that turn bad while they are loaded, tried out, at work and given up: each ends with one error that names it.

use crate::build::{build_c, examples};
use crate::support::{Place, Ran, TINY};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const WATCHDOG: u64 = 3;

/// What a run must come to: way, exit code, a piece of its message, how its summary says that it ended.
type Row = (&'static str, i32, &'static str, Option<&'static str>);

const FAILED: Option<&str> = Some("failed");

/// Calls that never come back, in the middle of training.
const HANGS: &[Row] = &[
    (
        "rule_hang",
        10,
        "(in `rule` of the plug-in `org.example.misbehaves` of ",
        FAILED,
    ),
    (
        "rule_spin",
        10,
        "(in `rule` of the plug-in `org.example.misbehaves` of ",
        FAILED,
    ),
    (
        "predict_hang",
        10,
        "(in `predict` of the plug-in `org.example.misbehaves` of ",
        FAILED,
    ),
    (
        "observe_hang",
        10,
        "(in `observe` of the plug-in `org.example.misbehaves` of ",
        FAILED,
    ),
];

/// Calls of `exit`, with whatever code and wherever.
const EXITS: &[Row] = &[
    ("rule_exit", 8, "`org.example.misbehaves` of ", FAILED),
    ("rule_exit_3", 8, "ended the program in `rule`", FAILED),
    ("rule_quick_exit", 8, "ended the program in `rule`", FAILED),
    ("rule_thread_exit", 8, "most likely the plug-in ", FAILED),
    ("predict_exit", 8, "ended the program in `predict`", FAILED),
    ("create_exit", 8, "ended the program in `create`", None),
    ("count_exit", 8, "ended the program in `count`", None),
    ("load_exit", 8, "ended the program in `load`", None),
    ("load_quick_exit", 8, "ended the program in `load`", None),
];

/// Answers that make no sense, and writing to what may only be read.
const ANSWERS: &[Row] = &[
    ("rule_status", 8, "failed in `rule` (status 1): no more", FAILED),
    ("rule_unknown_status", 8, "failed in `rule` (status 999)", FAILED),
    ("rule_kind", 8, "the kind 77 does not exist", FAILED),
    ("rule_nan", 8, "predicts NaN for the coefficient of the weights", FAILED),
    ("rule_huge", 8, "its coefficient of the weights is 1e300", FAILED),
    ("rule_folder", 8, "has changed the working directory", FAILED),
    ("rule_rates", 8, "wrote in `rule` to the learning rates", FAILED),
    ("predict_short", 8, "did not write its whole output", FAILED),
    ("predict_nan", 8, "predicts NaN for parameter ", FAILED),
    ("predict_infinity", 8, "predicts inf for parameter ", FAILED),
    ("predict_writes_weights", 8, "wrote in `predict` to its inputs", FAILED),
    ("predict_status", 8, "failed in `predict` (status 4)", FAILED),
    (
        "observe_status",
        8,
        "failed in `observe` (status 1): enough seen",
        FAILED,
    ),
    ("observe_writes_weights", 8, "wrote in `observe` to its inputs", FAILED),
    (
        "feedback_status",
        8,
        "failed in `feedback` (status 1): enough heard",
        FAILED,
    ),
    ("create_null", 8, "it gave a null instance", None),
    ("create_short", 8, "has a dtrp_predictor of 3 bytes", None),
    ("create_without_rule", 8, "lacks the function `rule`", None),
    ("count_none", 8, "holds no predictors", None),
    ("count_all", 8, "claims to hold 4294967295 predictors", None),
    ("descriptor_null", 8, "it is null", None),
];

/// Calls outside training that never come back.
const SLOW: &[Row] = &[
    ("create_hang", 8, "did not come back from `create, ", None),
    ("count_hang", 8, "did not come back from `load` within 10s", None),
    ("descriptor_hang", 8, "did not come back from `load` within 10s", None),
    ("load_hang", 8, "did not come back from `load` within 10s", None),
    (
        "destroy_hang",
        8,
        "did not come back from `destroy` within 10s",
        Some("finished"),
    ),
];

/// Ways that end the process, which a check must survive: way, and what it says.
const DEADLY: &[(&str, &str)] = &[
    ("rule_segv", "was ended by SIGSEGV"),
    ("rule_abort", "was ended by SIGABRT"),
    ("rule_stack", "was ended by SIGSEGV"),
    ("rule_close", "closes files of the program"),
    ("rule_exit", "calls `exit`"),
    ("rule_quick_exit", "calls `exit`"),
    ("load_quick_exit", "calls `exit`"),
];

fn build() -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = build_c(&examples().join("broken/misbehaves.c"));
    (folder, path.canonicalize().unwrap())
}

fn command(place: &Place, library: &Path, way: &str, sets: &[&str]) -> Command {
    let predictor = format!("method.predictor={}", json!({ "plugin": library }));
    let watchdog = format!("run.watchdog_seconds={WATCHDOG}");
    let own = [predictor.as_str(), &watchdog, "run.name=a", "run.epochs=20"];
    let sets = [TINY, &own, sets].concat();
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let mut command = place.command(&["train"].into_iter().chain(sets).collect::<Vec<_>>());
    command.env("BROKEN_WAY", way).env("BROKEN_MARK", place.file("mark"));
    command
}

/// Trains with a plug-in that misbehaves so, and looks what came of it.
fn comes_to(library: &Path, &(way, code, says, end): &Row, sets: &[&str]) {
    let place = Place::new();
    let ran = Ran::of(command(&place, library, way, sets).output().unwrap());
    let ended = SystemTime::now();
    assert_eq!(ran.code, code, "{way}: {}", ran.stderr);
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{way}: {}", ran.stderr);
    assert!(ran.stderr.contains(says), "{way}: {}", ran.stderr);
    assert!(
        ran.stderr.contains(&library.display().to_string()),
        "{way}: {}",
        ran.stderr
    );
    let summary = place.file("runs/a/summary.json");
    assert_eq!(end.is_some(), summary.exists(), "{way}");
    if let Some(end) = end {
        assert_eq!(place.summary("a")["end"], end, "{way}");
    }
    if code == 10 {
        let hung = fs::metadata(place.file("mark"))
            .and_then(|mark| mark.modified())
            .unwrap();
        let took = ended.duration_since(hung).unwrap();
        assert!(took < Duration::from_secs(2 * WATCHDOG), "{way} took {took:?}");
        assert!(ran.stderr.contains("worker 1 is executing "), "{way}: {}", ran.stderr);
    }
}

fn all_at_once(rows: &[Row], sets: &[&str]) {
    let (_folder, library) = build();
    thread::scope(|scope| {
        for row in rows {
            scope.spawn(|| comes_to(&library, row, sets));
        }
    });
}

#[test]
fn a_call_that_hangs_ends_the_run_with_a_summary() {
    all_at_once(HANGS, &[]);
    all_at_once(&HANGS[..1], &["run.executor=sequential"]);
}

#[test]
fn no_exit_makes_a_run_succeed() {
    let (_folder, library) = build();
    for row in EXITS {
        comes_to(&library, row, &[]);
    }
}

/// The summary of a run that a plug-in has ended is that of its last whole epoch, and all that is left in its folder is named.
#[test]
fn a_run_that_a_plug_in_has_ended_has_its_summary() {
    let (_folder, library) = build();
    let place = Place::new();
    // Two batches are an epoch, and the plug-in exits after twenty calls.
    let sets = ["data.batch_size=80", "run.executor=sequential"];
    let ran = Ran::of(command(&place, &library, "rule_exit", &sets).output().unwrap());
    assert_eq!(ran.code, 8, "{}", ran.stderr);
    let summary = place.summary("a");
    let epochs = place.events("a", "epoch");
    let last = epochs.last().unwrap();
    assert_eq!((&summary["end"], &summary["name"]), (&json!("failed"), &json!("a")));
    assert_eq!(summary["predictor"], "org.example.misbehaves");
    assert_eq!(summary["epochs"], epochs.len());
    assert_eq!(summary["steps"], last["step"]);
    assert_eq!(summary["final_train_loss"], last["train_loss"]);
    assert!(summary["train_seconds"].as_f64() > Some(0.0), "{summary}");
    assert!(!place.file("runs/a/.reserve").exists());
}

#[test]
fn answers_without_sense_are_told() {
    let (_folder, library) = build();
    for row in ANSWERS {
        comes_to(&library, row, &[]);
    }
}

#[test]
fn what_hangs_outside_training_ends_the_program_too() {
    all_at_once(SLOW, &[]);
}

#[test]
fn a_check_survives_whatever_a_plug_in_does() {
    let (_folder, library) = build();
    for (way, says) in DEADLY {
        let place = Place::new();
        let mut command = place.command(&["predictors", "check", library.to_str().unwrap()]);
        command.env("BROKEN_WAY", way);
        let ran = Ran::of(command.output().unwrap());
        assert_eq!(ran.code, 8, "{way}: {}{}", ran.stdout, ran.stderr);
        assert!(
            ran.stdout.contains("FAIL  the process that checked it "),
            "{way}: {}",
            ran.stdout
        );
        assert!(ran.stdout.contains(says), "{way}: {}", ran.stdout);
        assert!(
            ran.stdout.contains("failed: 1 check") && !ran.stdout.contains("passed"),
            "{way}: {}",
            ran.stdout
        );
    }
    // The same plug-in, well-behaved.
    let path = library.to_str().unwrap();
    let ran = Place::new().dtrp(&["predictors", "check", path]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.ends_with("passed\n"), "{}", ran.stdout);
}

#[test]
fn a_library_that_is_cut_off_is_refused() {
    let (_folder, library) = build();
    let whole = fs::read(&library).unwrap();
    let place = Place::new();
    let cut = place.file("cut.so");
    for length in [whole.len() / 3, whole.len() - 1] {
        fs::write(&cut, &whole[..length]).unwrap();
        let ran = Ran::of(command(&place, &cut, "", &[]).output().unwrap());
        assert_eq!(ran.code, 8, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("cut.so") && ran.stderr.contains("it is cut off"),
            "{}",
            ran.stderr
        );
    }
}

/// A run that is stopped for longer than its watchdog goes on as if nothing had been.
#[test]
fn time_in_which_the_program_is_stopped_does_not_count() {
    let (_folder, library) = build();
    let place = Place::new();
    let mut child = command(&place, &library, "", &["run.watchdog_seconds=1", "run.epochs=200"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let steps = || fs::read_to_string(place.file("runs/a/metrics.jsonl")).map_or(0, |text| text.lines().count());
    let signal = |name: &str| {
        // SAFETY: the number of a child that has not been waited for.
        let sent = unsafe {
            libc::kill(
                child.id() as i32,
                if name == "stop" { libc::SIGSTOP } else { libc::SIGCONT },
            )
        };
        assert_eq!(sent, 0, "{name}");
    };
    let start = Instant::now();
    while steps() < 10 && start.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(5));
    }
    signal("stop");
    thread::sleep(Duration::from_millis(3300));
    signal("continue");
    assert!(child.wait().unwrap().success());
    assert_eq!(place.summary("a")["end"], "finished");
}
