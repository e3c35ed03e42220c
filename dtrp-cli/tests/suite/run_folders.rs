//! Every run has a folder of its own, and what no run has made is left alone.

use crate::support::Place;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

/// A run that takes no time.
const SHORT: [&str; 5] = [
    "model={name: tiny}",
    "run.max_steps=12",
    "run.log_every=1",
    "run.progress=none",
    "optimizer.schedule.name=constant",
];

fn arguments<'a>(sets: &[&'a str]) -> Vec<&'a str> {
    let sets = SHORT.iter().chain(sets).flat_map(|set| ["--set", *set]);
    ["train", "--quiet"].into_iter().chain(sets).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn config(folder: &Path) -> Value {
    serde_yaml::from_str(&fs::read_to_string(folder.join("config.yaml")).unwrap()).unwrap()
}

/// Configuration, metrics, weights and summary of a folder are of one run.
fn is_of_one_run(folder: &Path) -> f64 {
    let config = config(folder);
    let rate = config["optimizer"]["lr"].as_f64().unwrap();
    let metrics = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let steps: Vec<Value> = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let steps: Vec<_> = steps.iter().filter(|event| event["event"] == "step").collect();
    assert_eq!(steps.len(), 12, "{}", folder.display());
    assert!(steps.iter().all(|step| step["lr"] == rate), "{}", folder.display());
    let summary: Value = serde_json::from_str(&fs::read_to_string(folder.join("summary.json")).unwrap()).unwrap();
    assert_eq!((&summary["end"], &summary["lr"]), (&"finished".into(), &rate.into()));
    for file in ["weights.safetensors", "schedule.txt", "trace.txt"] {
        assert!(fs::metadata(folder.join(file)).unwrap().len() > 0);
    }
    rate
}

#[test]
fn runs_of_one_name_started_at_once_all_have_a_folder() {
    let place = Place::new();
    for (round, count) in [(0, 4), (1, 8), (2, 8)] {
        let dir = place.file(&format!("round{round}"));
        let run_dir = format!("run.dir={}", dir.display());
        let start = |run: usize| -> Child {
            let rate = format!("optimizer.lr=0.0{}", run + 1);
            let mut args = arguments(&[&rate, &run_dir]);
            args.extend(["--name", "race"]);
            let mut command = place.command(&args);
            command.stdout(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = (0..count).map(start).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let folders = names(&dir);
        assert_eq!(folders.len(), count, "{folders:?}");
        let mut rates: Vec<_> = folders
            .iter()
            .map(|name| {
                let rate = is_of_one_run(&dir.join(name));
                // A run that was moved away when it had ended keeps the name that it ran under.
                let own = config(&dir.join(name))["run"]["name"].clone();
                assert!(own == *name || name.starts_with("race."), "{name}: {own}");
                rate
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        assert_eq!(rates.len(), count);
    }
}

#[test]
fn a_run_beside_one_that_goes_on_gets_a_number() {
    let place = Place::new();
    let mut long = arguments(&["run.max_steps=null", "run.epochs=1000000"]);
    long.extend(["--name", "a"]);
    let mut first = place.command(&long).spawn().unwrap();
    while !place.file("runs/a/metrics.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut args = arguments(&[]);
    args.extend(["--name", "a"]);
    let mut loud: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--quiet").collect();
    let ran = place.dtrp(&loud);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("a run `a` is still going on; this one is `a-2`"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("results in runs/a-2"), "{}", ran.stdout);
    assert_eq!(config(&place.file("runs/a-2"))["run"]["name"], "a-2");
    // Whoever relies on the name says so.
    loud.push("--no-number");
    let ran = place.dtrp(&loud);
    assert_eq!(ran.code, 9);
    assert!(
        ran.stderr.contains("runs/a: a run that is still going on"),
        "{}",
        ran.stderr
    );
    assert_eq!(names(&place.file("runs")), ["a", "a-2"]);
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_sweep_keeps_every_run() {
    let place = Place::new();
    for rate in ["0.1", "0.01", "0.001"] {
        let rate = format!("optimizer.lr={rate}");
        assert_eq!(place.dtrp(&arguments(&[&rate])).code, 0);
    }
    let base = "digits-tiny-dtrp-k2-max_steps12-constant-lr";
    let expected = ["0.001", "0.01", "0.1"].map(|rate| format!("{base}{rate}"));
    assert_eq!(names(&place.file("runs")), expected);
}

#[test]
fn only_what_dtrp_made_is_moved() {
    let place = Place::new();
    fs::create_dir(place.file("src")).unwrap();
    fs::write(place.file("src/main.rs"), "").unwrap();
    fs::write(place.file("file"), "").unwrap();
    std::os::unix::fs::symlink("src", place.file("link")).unwrap();
    let before = names(place.path());
    for name in ["src", "file", "link"] {
        let mut args = arguments(&["run.dir=."]);
        args.extend(["--name", name]);
        let ran = place.dtrp(&args);
        assert_eq!(ran.code, 9, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("is not the folder of a run"), "{}", ran.stderr);
        assert_eq!(names(place.path()), before, "{name}");
    }
    assert_eq!(names(&place.file("src")), ["main.rs"]);
}

#[test]
fn a_device_stays_a_device() {
    let place = Place::new();
    let sets = ["data.batch_size=4", "data.shape=[1, 8, 8]", "model={name: tiny}"];
    let mut args = vec!["profile", "--steps", "1", "--output", "/dev/null"];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    let ran = place.dtrp(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    use std::os::unix::fs::FileTypeExt;
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    // A link is replaced, and what it leads to is not.
    fs::write(place.file("theirs"), "theirs").unwrap();
    std::os::unix::fs::symlink("theirs", place.file("costs.yaml")).unwrap();
    args[4] = "costs.yaml";
    assert_eq!(place.dtrp(&args).code, 0);
    assert_eq!(fs::read_to_string(place.file("theirs")).unwrap(), "theirs");
    assert!(
        fs::read_to_string(place.file("costs.yaml"))
            .unwrap()
            .contains("blocks:")
    );
    // Beside it nothing is left.
    assert_eq!(names(place.path()), ["costs.yaml", "theirs"]);
    args[4] = "/dev/stdout";
    let ran = place.dtrp(&args);
    assert!(ran.code == 0 && ran.stdout.starts_with("batch_size:"), "{}", ran.stdout);
}

#[test]
fn a_resolved_configuration_repeats_its_run_or_says_why_not() {
    let place = Place::new();
    let train = |name: &str, sets: &[&str]| {
        let mut args = arguments(sets);
        args.extend(["--name", name]);
        place.dtrp(&args)
    };
    assert_eq!(train("a", &[]).code, 0);
    let first = place.weights("a");
    // The run takes the name of the one that it starts from.
    let ran = train("a", &["model.init_from=runs/a/weights.safetensors"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(place.weights("a.1") == first);
    let second = place.weights("a");
    let model = config(&place.file("runs/a"))["model"].clone();
    assert_eq!(model["init_from"], "runs/a.1/weights.safetensors");
    assert_eq!(model["init_sha256"].as_str().map(str::len), Some(64));
    let again = ["train", "--config", "runs/a/config.yaml", "--name"];
    assert_eq!(place.dtrp(&[&again[..], &["again"]].concat()).code, 0);
    assert!(place.weights("again") == second);
    // Other weights under that path are told.
    fs::copy(
        place.file("runs/a/weights.safetensors"),
        place.file("runs/a.1/weights.safetensors"),
    )
    .unwrap();
    let ran = place.dtrp(&[&again[..], &["other"]].concat());
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("the SHA-256 of the file is"), "{}", ran.stderr);
    assert!(!place.file("runs/other").exists());
    // Weights that were chosen anew are not compared with the old ones.
    let anew = ["--set", "model.init_from=runs/a/weights.safetensors"];
    assert_eq!(place.dtrp(&[&again[..], &["anew"], &anew].concat()).code, 0);
}
