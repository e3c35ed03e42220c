//! Paths and other values as people type them: `~`, folders that have gone, too deep, and with characters for the terminal.

use crate::sets;
use crate::support::{Place, Ran};

fn in_home(place: &Place, args: &[&str]) -> Ran {
    let mut command = place.command(args);
    Ran::of(command.env("HOME", place.file("home")).output().unwrap())
}

#[test]
fn the_home_folder_is_expanded_everywhere() {
    let place = Place::new();
    sets::idx(&place.file("home/mnist"));
    let short = [
        "train",
        "--name",
        "a",
        "--set",
        "data.name=mnist",
        "--set",
        "data.dir=~/mnist",
        "--set",
        "model={name: tiny}",
        "--set",
        "run.max_steps=2",
        "--set",
        "data.batch_size=8",
    ];
    let ran = in_home(&place, &[&short[..], &["--set", "run.dir=~/runs"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let folder = place.file("home/runs/a");
    assert!(folder.join("weights.safetensors").exists() && !place.file("~").exists());
    let again = [
        "--set",
        "model.init_from=~/runs/a/weights.safetensors",
        "--dir",
        "~/more",
    ];
    let ran = in_home(&place, &[&short[..], &again].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let config = std::fs::read_to_string(place.file("home/more/a/config.yaml")).unwrap();
    assert!(!config.contains('~'), "{config}");
    let ran = in_home(&place, &["config", "show", "--config", "~/runs/a/config.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // What is not there is told with its whole path.
    let home = place.file("home");
    for key in [
        "method.program=~/x",
        "method.predictor={plugin: ~/x}",
        "model.init_from=~/x",
    ] {
        let ran = in_home(&place, &["train", "--set", key]);
        assert!(
            ran.stderr.contains(&format!("{}/x", home.display())),
            "{key}: {}",
            ran.stderr
        );
    }
    let auto = ["train", "--set", "method.cuts=auto", "--set", "method.costs=~/x"];
    assert!(in_home(&place, &auto).stderr.contains(&format!("{}/x", home.display())));
}

#[test]
fn what_only_a_shell_expands_is_told() {
    let place = Place::new();
    for key in ["run.dir", "data.dir", "model.init_from", "method.program"] {
        let set = format!("{key}=~nobody/x");
        let ran = place.train(&[&set]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(
            ran.stderr.contains(key) && ran.stderr.contains("was not expanded"),
            "{}",
            ran.stderr
        );
    }
    let ran = place.dtrp(&["train", "--dir", "~nobody/x"]);
    assert!(
        ran.code == 2 && ran.stderr.contains("was not expanded"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_working_directory_that_has_gone_is_named() {
    let place = Place::new();
    for args in [
        "train",
        "train --dir /tmp --dry-run",
        "config show",
        "models list",
        "schedule show",
        "simulate",
        "data check x",
        "predictors list",
        "predictors check x.so",
        "compare",
        "bench",
        "profile",
        "doctor",
    ] {
        std::fs::create_dir(place.file("gone")).unwrap();
        let script = format!(r#"cd gone && rmdir ../gone && exec "$0" {args}"#);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_dtrp")]);
        let ran = Ran::of(shell.current_dir(place.path()).output().unwrap());
        assert_eq!(ran.code, 9, "{args}");
        assert_eq!(
            ran.stderr, "error: the working directory is not there any more: change to one that is\n",
            "{args}"
        );
    }
}

#[test]
fn what_is_too_deep_is_told() {
    let place = Place::new();
    let path = vec!["a"; 10_000].join(".") + "=1";
    let flow = format!("optimizer.lr={}", "[".repeat(10_000));
    let closed = format!("optimizer.lr={}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (set, says) in [
        (&path, "more than 32 parts"),
        (&flow, "optimizer.lr"),
        (&closed, "recursion limit"),
    ] {
        let ran = place.train(&[set]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    std::fs::write(place.file("deep.yaml"), "a: ".to_owned() + &"{a: ".repeat(5_000)).unwrap();
    let ran = place.dtrp(&["train", "--config", "deep.yaml"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}

#[test]
fn escape_sequences_do_not_reach_the_terminal() {
    let place = Place::new();
    let escaped = "\u{1b}[31m";
    let quoted = r#""\e[31mx""#;
    for args in [
        &["train", "--set", &format!("optimizer.lr={quoted}")][..],
        &["train", "--set", &format!("model.name={quoted}")],
        &["train", "--set", &format!("run.name={quoted}")],
        &[
            "train",
            "--set",
            &format!("data.dir={quoted}"),
            "--set",
            "data.name=mnist",
        ],
        &["train", "--set", &format!("{escaped}lr=1")],
        &["train", "--set", escaped],
        &["train", "--config", escaped],
        &["schedule", "show", "--method", escaped],
        &["data", "check", escaped],
        &["models", "show", escaped],
        &["predictors", "show", escaped],
        &["predictors", "check", escaped],
        &["compare", "--variant", escaped],
        &[escaped],
    ] {
        let ran = place.dtrp(args);
        assert!(ran.code > 1, "{args:?}: {}", ran.stderr);
        assert!(
            !(ran.stderr.clone() + &ran.stdout).contains('\u{1b}'),
            "{args:?}: {}",
            ran.stderr
        );
    }
    // Nor do they in what a run logs and prints.
    let sets = ["run.dir=\"\\e[31mruns\"", "model={name: tiny}", "run.max_steps=1"];
    let ran = place.train(&sets);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        !(ran.stderr.clone() + &ran.stdout).contains('\u{1b}'),
        "{}\n{}",
        ran.stderr,
        ran.stdout
    );
}

#[test]
fn a_file_that_is_missing_is_not_one_that_cannot_be_written() {
    let place = Place::new();
    for (args, code) in [
        (&["train", "--config", "x"][..], 3),
        (&["train", "--set", "model.init_from=x"], 5),
        (&["train", "--set", "method.program=x"], 5),
        (&["train", "--set", "method.cuts=auto", "--set", "method.costs=x"], 5),
        (&["train", "--set", "data.name=mnist", "--set", "data.dir=x"], 4),
        (&["train", "--set", "method.predictor={plugin: x}"], 8),
        (&["schedule", "show", "x"], 5),
        (&["schedule", "check", "x"], 5),
        (&["simulate", "--costs", "x"], 5),
        (&["data", "check", "x"], 4),
        (&["predictors", "check", "x"], 8),
        (&["compare", "--variant", "x.yaml"], 5),
    ] {
        let ran = place.dtrp(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    }
}
