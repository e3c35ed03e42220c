//! Stopping a run and going on with it: whatever ended it, it ends with the bits of a run that was never interrupted.

use crate::support::{Place, Ran, limit_files};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Six batches an epoch, and no more than a few milliseconds for each.
const SMALL: &[&str] = &[
    "model={name: tiny, depth: 4}",
    "data.limit=96",
    "data.test_limit=32",
    "data.batch_size=16",
    "run.log_every=1",
    "run.progress=none",
];

/// `dtrp train --name NAME` with settings.
fn train(place: &Place, name: &str, sets: &[&str], flags: &[&str]) -> Command {
    let mut args = vec!["train", "--name", name];
    args.extend(SMALL.iter().chain(sets).flat_map(|set| ["--set", set]));
    args.extend(flags);
    place.command(&args)
}

fn run(command: &mut Command) -> Ran {
    Ran::of(command.output().unwrap())
}

/// The metrics without what depends on the clock.
fn numbers(place: &Place, name: &str) -> Vec<String> {
    let text = place.read(&format!("{name}/metrics.jsonl"));
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        for clock in ["seconds", "images_per_second", "workers", "peak_rss_bytes"] {
            fields.remove(clock);
        }
        line.to_string()
    };
    text.lines().map(line).collect()
}

fn same(place: &Place, name: &str, expected: &str) {
    assert!(
        place.weights(name) == place.weights(expected),
        "{name}: the weights differ"
    );
    assert_eq!(numbers(place, name), numbers(place, expected), "{name}");
    let (a, b) = (place.summary(name), place.summary(expected));
    for field in [
        "end",
        "epochs",
        "steps",
        "final_test_accuracy",
        "best_test_accuracy",
        "final_train_loss",
    ] {
        assert_eq!(a[field], b[field], "{name}: {field}");
    }
}

/// Names in a folder, and when each was changed.
fn listing(folder: &Path) -> Vec<(String, Option<SystemTime>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries
        .map(|entry| {
            let changed = entry.metadata().and_then(|found| found.modified()).ok();
            (entry.file_name().to_string_lossy().into_owned(), changed)
        })
        .collect();
    all.sort();
    all
}

/// Numbers that look random, and are the same in every run of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// The checkpoints that have their names.
fn steps(checkpoints: &Path) -> Vec<(String, Option<SystemTime>)> {
    let mut all = listing(checkpoints);
    all.retain(|(name, _)| name.starts_with("step-"));
    all
}

/// Kills it at a random moment after it has written a checkpoint of its own. False if it ended before that.
fn kill_at_random(mut child: Child, checkpoints: &Path, dice: &mut Dice) -> bool {
    let before = steps(checkpoints);
    let start = Instant::now();
    let wait = Duration::from_micros(dice.below(60_000));
    let mut seen = None;
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if seen.is_none() && steps(checkpoints) != before {
            seen = Some(Instant::now());
        }
        if seen.is_some_and(|seen| seen.elapsed() >= wait) {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "no checkpoint is written");
        sleep(Duration::from_micros(200));
    }
}

/// Over several methods: more than fifty times in a row.
#[test]
fn killed_at_any_moment_it_goes_on_with_the_same_bits() {
    let place = Place::new();
    let mut dice = Dice(13);
    let mut kills = 0;
    for (number, sets) in [
        &["method.modules=2"][..],
        &["method.modules=4", "method.order=eager", "method.predictor=difference"],
        &["method.name=bp", "method.modules=1", "optimizer.name=adam"],
        &["method.name=fdg", "method.modules=3"],
        &["method.name=spectrain", "method.modules=3", "method.micro_batches=2"],
    ]
    .into_iter()
    .enumerate()
    {
        let (name, whole) = (format!("killed{number}"), format!("whole{number}"));
        let sets = [sets, &["run.epochs=60"]].concat();
        let ran = run(&mut train(
            &place,
            &whole,
            &[&sets[..], &["checkpoint.keep_last=0"]].concat(),
            &[],
        ));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let kept = [&sets[..], &["checkpoint.every_steps=1", "checkpoint.every_epochs=1"]].concat();
        let checkpoints = place.file(&format!("runs/{name}/checkpoints"));
        for _ in 0..11 {
            let mut command = train(&place, &name, &kept, &["--resume", "auto"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            kills += u32::from(kill_at_random(command.spawn().unwrap(), &checkpoints, &mut dice));
        }
        let ran = run(&mut train(&place, &name, &kept, &["--resume", "auto"]));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains("going on from"), "{}", ran.stderr);
        same(&place, &name, &whole);
        // Nothing is left of what was being written.
        let names = listing(&checkpoints);
        assert!(names.iter().all(|(name, _)| !name.starts_with('.')), "{names:?}");
    }
    assert!(kills >= 50, "only {kills} were killed before they came to their end");
}

#[test]
fn every_signal_stops_in_good_order() {
    let place = Place::new();
    let sets = ["run.epochs=400", "method.modules=3"];
    let ran = run(&mut train(&place, "whole", &sets, &[]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1] {
        let mut command = train(&place, "stopped", &sets, &["--resume", "auto"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let metrics = place.file("runs/stopped/metrics.jsonl");
        let before = fs::metadata(&metrics).map_or(0, |found| found.len());
        let start = Instant::now();
        while fs::metadata(&metrics).map_or(0, |found| found.len()) < before + 2_000 {
            assert!(start.elapsed() < Duration::from_secs(120));
            sleep(Duration::from_millis(1));
        }
        // SAFETY: a process of this test's own that has not been waited for.
        unsafe { libc::kill(child.id() as i32, signal) };
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 130, "{}", ran.stderr);
        assert!(ran.stderr.contains("--resume runs/stopped"), "{}", ran.stderr);
        assert_eq!(place.summary("stopped")["end"], "interrupted");
    }
    // From its folder, with its own configuration.
    let ran = place.dtrp(&["train", "--resume", "runs/stopped"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    same(&place, "stopped", "whole");
    // It has ended: there is nothing to do, and that is well.
    let ran = place.dtrp(&["train", "--resume", "runs/stopped/checkpoints/latest"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    same(&place, "stopped", "whole");
}

#[test]
fn trained_longer_and_as_a_run_of_its_own() {
    let place = Place::new();
    let ran = run(&mut train(
        &place,
        "a",
        &["run.epochs=2", "checkpoint.every_epochs=1"],
        &[],
    ));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = place.dtrp(&["train", "--resume", "runs/a", "--name", "b", "--set", "run.epochs=4"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the rate schedule goes over the 24 batches"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("run.epochs was 2 and is 4 now"), "{}", ran.stderr);
    assert_eq!(place.summary("b")["epochs"], 4);
    assert_eq!(place.summary("a")["epochs"], 2);
    assert_eq!(place.events("b", "epoch").len(), 2);
    // In place.
    let ran = place.dtrp(&[
        "train",
        "--resume",
        "runs/a",
        "--set",
        "run.epochs=3",
        "--set",
        "method.modules=1",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("method.modules was 2 and is 1 now"),
        "{}",
        ran.stderr
    );
    assert_eq!(place.events("a", "epoch").len(), 3);
    assert!(place.read("a/config.yaml").contains("epochs: 3"));
    // What is not its newest is not trained over.
    let ran = place.dtrp(&["train", "--resume", "runs/a/checkpoints/step-00000012"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("--name NAME"), "{}", ran.stderr);
    let ran = place.dtrp(&["train", "--resume", "runs/a/checkpoints/step-00000012", "--name", "c"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // A checkpoint that was taken elsewhere brings its settings.
    fs::rename(place.file("runs/a/checkpoints/step-00000018"), place.file("alone")).unwrap();
    let ran = place.dtrp(&["train", "--resume", "alone", "--set", "run.epochs=4", "--name", "d"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(place.summary("d")["epochs"], 4);
}

#[test]
fn what_cannot_be_gone_on_with_is_named() {
    let place = Place::new();
    let ran = run(&mut train(
        &place,
        "a",
        &["run.epochs=2", "checkpoint.every_epochs=1"],
        &[],
    ));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let refused = |args: &[&str], code: i32, says: &str| {
        let ran = place.dtrp(&[&["train"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    };
    refused(&["--resume", "nowhere"], 4, "nowhere: there is no such folder");
    refused(&["--resume", "runs"], 4, "runs: is no checkpoint");
    refused(
        &["--resume", "runs/a", "--set", "run.seed=2"],
        5,
        "run.seed was 1 and is 2 now",
    );
    let newest = place.file("runs/a/checkpoints/step-00000012/model.safetensors");
    fs::write(&newest, "x").unwrap();
    refused(&["--resume", "runs/a/checkpoints/latest"], 4, "truncated or damaged");
    let ran = place.dtrp(&["train", "--resume", "runs/a"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("truncated or damaged"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("going on from runs/a/checkpoints/step-00000006"),
        "{}",
        ran.stderr
    );
    for step in ["06", "12"] {
        fs::write(
            place.file(&format!("runs/a/checkpoints/step-000000{step}/state.json")),
            "{",
        )
        .unwrap();
    }
    refused(&["--resume", "runs/a"], 4, "step-00000012/state.json: is damaged");
    let auto = train(&place, "a", &["run.epochs=2"], &["--resume", "auto"]);
    let args: Vec<_> = auto.get_args().map(|arg| arg.to_str().unwrap()).collect();
    refused(&args[1..], 4, "step-00000012/state.json: is damaged");
}

/// The disk fills up while checkpoints are written, at every page of them; then there is room again.
#[test]
fn a_full_disk_at_every_write() {
    let place = Place::new();
    let sets = ["run.epochs=4"];
    let ran = run(&mut train(&place, "whole", &sets, &[]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    fs::create_dir(place.file("small")).unwrap();
    let sets = [&sets[..], &["checkpoint.every_steps=1", "run.dir=small"]].concat();
    let command = train(&place, "a", &sets, &["-q", "--resume", "auto"]);
    let args: Vec<String> = command
        .get_args()
        .map(|arg| format!("'{}'", arg.to_str().unwrap()))
        .collect();
    let args = args.join(" ");
    let script = format!(
        r#"mount -t tmpfs -o size=1m tmpfs small || exit 77
        size=48
        while [ $size -lt 400 ]; do
            mount -o remount,size=${{size}}k tmpfs small
            "$0" {args} >/dev/null; code=$?
            echo "$size $code $(ls -A small/a/checkpoints 2>/dev/null | grep -c '^\.')"
            [ $code = 0 ] && break
            size=$((size + 4))
        done
        cp -r small/a runs/a"#
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_dtrp")]);
    let Ok(output) = command.current_dir(place.path()).output() else {
        return;
    };
    if output.status.code() != Some(0) {
        eprintln!("not tested: no tmpfs may be mounted here");
        return;
    }
    let ran = Ran::of(output);
    let rounds: Vec<Vec<i32>> = ran
        .stdout
        .lines()
        .map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect())
        .collect();
    let codes: Vec<i32> = rounds.iter().map(|round| round[1]).collect();
    assert_eq!(codes.last(), Some(&0), "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        codes.iter().filter(|code| **code == 9).count() > 5,
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
    assert!(
        codes.iter().all(|code| [0, 9].contains(code)),
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
    assert!(rounds.iter().all(|round| round[2] == 0), "{}", ran.stdout);
    same(&place, "a", "whole");
}

/// A limit on the size of files makes the same calls fail, where nothing may be mounted.
#[test]
fn checkpoints_that_cannot_be_written_end_the_run_and_leave_the_last() {
    let place = Place::new();
    let sets = ["run.epochs=4", "checkpoint.every_steps=1", "method.modules=3"];
    let whole = run(&mut train(&place, "whole", &sets, &[]));
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let mut fails = 0;
    for limit in [3_000, 6_000, 8_000, 10_000, 14_000, 18_000, 30_000, 60_000] {
        let mut command = train(&place, "a", &sets, &["--resume", "auto"]);
        limit_files(&mut command, limit);
        let ran = run(&mut command);
        assert!([0, 9].contains(&ran.code), "{}", ran.stderr);
        fails += u32::from(ran.code == 9);
    }
    assert!(fails > 2);
    let ran = run(&mut train(&place, "a", &sets, &["--resume", "auto"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    same(&place, "a", "whole");
}

#[test]
fn four_at_once_fourteen_times_have_folders_of_their_own() {
    let place = Place::new();
    for round in 0..14 {
        let runs: Vec<Child> = (0..4)
            .map(|run| {
                let seed = format!("run.seed={}", 1 + round * 4 + run);
                let mut command = train(&place, "same", &["run.epochs=1", &seed], &[]);
                command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for run in runs {
            let ran = Ran::of(run.wait_with_output().unwrap());
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        }
    }
    let folders = listing(&place.file("runs"));
    assert_eq!(folders.len(), 56, "{folders:?}");
    let mut seeds = Vec::new();
    let mut weights = Vec::new();
    for (name, _) in &folders {
        let summary = place.summary(name);
        let seed = summary["seed"].as_u64().unwrap();
        let config = place.read(&format!("{name}/config.yaml"));
        assert!(config.contains(&format!("seed: {seed}\n")), "{name}");
        assert_eq!(place.events(name, "epoch").len(), 1, "{name}");
        assert!(
            place
                .file(&format!("runs/{name}/checkpoints/step-00000006/state.json"))
                .exists()
        );
        seeds.push(seed);
        weights.push(place.weights(name));
    }
    seeds.sort_unstable();
    assert_eq!(seeds, (1..=56).collect::<Vec<_>>());
    weights.sort();
    weights.dedup();
    assert_eq!(weights.len(), 56);
}
