//! `dtrp predictors compare`.

use crate::support::{Place, Ran, TINY};
use serde_json::Value;

fn compare(place: &Place, args: &[&str]) -> Ran {
    let tiny = TINY.iter().flat_map(|set| ["--set", set]);
    let all: Vec<&str> = ["predictors", "compare"].into_iter().chain(tiny).collect();
    place.dtrp(&[&all, args].concat())
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} is {}", row[key]))
}

#[test]
fn every_predictor_is_trained_in_every_order() {
    let place = Place::new();
    let ran = compare(
        &place,
        &[
            "--set",
            "method.modules=3",
            "--set",
            "method.cuts=auto",
            "--steps",
            "20",
            "--format",
            "json",
            "--order",
            "lockstep",
            "--order",
            "eager",
            "--predictor",
            "none",
            "--predictor",
            "{name: momentum, options: {rho: 0.5}}",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["method"], &json["steps"]), (&"dtrp".into(), &20.into()));
    let rows = json["runs"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| (row["predictor"].as_str().unwrap(), row["order"].as_str().unwrap()))
        .collect();
    let (none, momentum) = ("none", "momentum rho=0.5");
    let expected = [
        (none, "lockstep"),
        (none, "eager"),
        (momentum, "lockstep"),
        (momentum, "eager"),
    ];
    assert_eq!(names, expected);
    // Measured once, so that all train the same modules.
    let cuts = |row: &Value| -> Value {
        let file = place.file(row["folder"].as_str().unwrap()).join("config.yaml");
        let config: Value = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        config["method"]["cuts"].clone()
    };
    assert_eq!(cuts(&rows[0]).as_array().map(Vec::len), Some(2));
    assert!(rows.iter().all(|row| cuts(row) == cuts(&rows[0])));
    for row in rows {
        let folder = place.file(row["folder"].as_str().unwrap());
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
        let losses: Vec<f64> = read("metrics.jsonl")
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|event| event["event"] == "step")
            .map(|event| number(&event, "loss"))
            .collect();
        assert_eq!(losses.len(), 20);
        let last = (losses[18] + losses[19]) / 2.0;
        assert!((number(row, "train_loss") - last).abs() < 1e-12);
        let summary: Value = serde_json::from_str(&read("summary.json")).unwrap();
        assert_eq!(summary["final_test_accuracy"], row["test_accuracy"]);
        assert_eq!(row["prediction_gains"].as_array().unwrap().len(), 2);
        let workers = summary["workers"].as_array().unwrap();
        let seconds = number(&workers[0], "prediction_seconds") + number(&workers[1], "prediction_seconds");
        assert!(workers[2]["prediction_seconds"].is_null());
        assert!(seconds > 0.0 && seconds < number(&summary, "train_seconds"));
        let milliseconds = number(row, "prediction_milliseconds_per_step");
        assert!((milliseconds - seconds * 1e3 / 20.0).abs() < 1e-9);
        assert!((0.0..1.0).contains(&number(row, "prediction_share")));
    }
    assert_eq!(number(&rows[0], "prediction_gain"), 1.0);
    assert!(number(&rows[2], "prediction_cosine") > 0.0 && rows[0]["prediction_cosine"].is_null());
}

#[test]
fn by_default_all_that_go_with_the_optimizer() {
    let place = Place::new();
    // A resolved configuration has an order, which is not one of every method.
    place.tiny("a", &["run.max_steps=1"]);
    let ran = compare(
        &place,
        &[
            "--config",
            "runs/a/config.yaml",
            "--set",
            "method.name=spectrain",
            "--steps",
            "6",
            "--format",
            "markdown",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows: Vec<_> = ran.stdout.lines().filter(|line| line.starts_with("| ")).collect();
    let first = |row: &&str| row[2..].split(" | ").next().unwrap().to_owned();
    let names: Vec<_> = rows.iter().map(first).collect();
    let expected = [
        "predictor",
        "none",
        "adaptive",
        "damped",
        "decayed",
        "difference",
        "momentum",
    ];
    assert_eq!(names, expected, "{}", ran.stdout);
    assert!(
        rows[1..].iter().all(|row| row.contains(" | eager | ")),
        "{}",
        ran.stdout
    );
    for part in [
        "spectrain on 2 modules, resnet-cifar on digits, seed 1",
        "left out: adam: it needs adam or adamw, but the optimizer is sgd",
        "left out: adamw",
    ] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
}

#[test]
fn a_run_that_diverges_is_a_row() {
    let place = Place::new();
    let ran = compare(
        &place,
        &["--set", "optimizer.lr=1e20", "--steps", "8", "--predictor", "none"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let row = ran.stdout.lines().nth(1).unwrap();
    assert!(row.starts_with("none") && row.contains(" diverged "), "{}", ran.stdout);
}

#[test]
fn nothing_is_trained_when_something_is_wrong() {
    let place = Place::new();
    for (args, code, says) in [
        (&["--predictor", "momentun"][..], 5, "did you mean `momentum`?"),
        (
            &["--predictor", "adam"],
            5,
            "needs adam or adamw, but the optimizer is sgd",
        ),
        (
            &["--predictor", "{plugin: none.so}"],
            8,
            "cannot read the plug-in none.so",
        ),
        (&["--predictor", "{plug: none.so}"], 2, "unknown key `plug`"),
        (&["--order", "sideways"], 2, "the orders are"),
        (
            &["--set", "method.name=spectrain", "--order", "lockstep"],
            5,
            "has no order `lockstep`",
        ),
        (&["--set", "method.name=bp"], 5, "predicts nothing"),
        (&["--config", "-"], 5, "write it to a file"),
        (&["--set", "optimizer.lr=fast"], 3, "must be a number"),
    ] {
        let ran = compare(&place, args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!place.file("runs").exists(), "{args:?}");
    }
}
