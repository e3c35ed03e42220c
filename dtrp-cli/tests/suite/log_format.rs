//! `--log-format json`: whatever goes to stderr is an object a line.

use crate::build::{build_c, examples};
use crate::support::{Place, Ran, TINY};
use serde_json::{Value, json};

/// The lines of stderr, each of which must be an object with the fields of all.
fn objects(ran: &Ran) -> Vec<Value> {
    assert!(ran.stderr.is_empty() || ran.stderr.ends_with('\n'), "{}", ran.stderr);
    let object = |line: &str| {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", ran.stderr));
        let fields: Vec<_> = object.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["timestamp", "level", "target", "message", "fields"], "{line}");
        assert!(object["message"].is_string() && object["fields"].is_object(), "{line}");
        object
    };
    ran.stderr.lines().map(object).collect()
}

/// Whose last object is the one error, with the program's exit code.
fn fails(ran: &Ran, code: i32, says: &str) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    let objects = objects(ran);
    let is_error = |object: &&Value| object["level"] == "ERROR";
    assert_eq!(objects.iter().filter(is_error).count(), 1, "{}", ran.stderr);
    let last = objects.last().unwrap();
    assert_eq!(
        (&last["fields"]["exit_code"], &last["target"]),
        (&json!(code), &json!("dtrp"))
    );
    let message = last["message"].as_str().unwrap();
    assert!(message.contains(says) && !message.starts_with("error"), "{message}");
}

fn train(sets: &[&str]) -> Vec<String> {
    let sets = TINY.iter().chain(sets).flat_map(|set| ["--set", set]);
    ["train", "--name", "a"]
        .into_iter()
        .chain(sets)
        .map(str::to_owned)
        .collect()
}

fn with_json(place: &Place, args: &[String]) -> Ran {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    place.dtrp(&[&["--log-format", "json"], &args[..]].concat())
}

#[test]
fn a_run_is_told_as_its_events() {
    let place = Place::new();
    let ran = with_json(&place, &train(&[]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let objects = objects(&ran);
    let events = |name: &str| {
        let fields = objects.iter().map(|object| &object["fields"]);
        fields
            .filter(|fields| fields["event"] == name)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(events("epoch"), place.events("a", "epoch"));
    let [started] = &events("started")[..] else {
        panic!("{objects:?}")
    };
    assert_eq!((&started["steps"], &started["modules"]), (&json!(10), &json!(2)));
    let [ended] = &events("ended")[..] else {
        panic!("{objects:?}")
    };
    assert_eq!((&ended["end"], &ended["epochs"]), (&json!("finished"), &json!(2)));
    // Log lines say which part of the program speaks; stdout is as ever.
    let logged = objects
        .iter()
        .find(|object| object["message"] == "training into runs/a")
        .unwrap();
    assert_eq!(
        (&logged["level"], &logged["target"]),
        (&json!("INFO"), &json!("dtrp_cli::commands::train"))
    );
    assert!(
        ran.stdout.contains("test accuracy") && !ran.stdout.contains('{'),
        "{}",
        ran.stdout
    );
    // Quiet is quiet.
    let quiet = with_json(&place, &[train(&[]), vec!["--quiet".to_owned()]].concat());
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn every_error_is_an_object_with_its_exit_code() {
    let place = Place::new();
    fails(
        &with_json(&place, &train(&["optimizer.lr=-1"])),
        3,
        "optimizer.lr is -1",
    );
    fails(&with_json(&place, &train(&["optimizer.lr=1e30"])), 7, "the loss is ");
    fails(
        &with_json(&place, &["trian".to_owned()]),
        2,
        "unrecognized subcommand 'trian'",
    );
    fails(
        &place.dtrp(&["schedule", "show", "--modules", "x", "--log-format=json"]),
        2,
        "invalid value 'x'",
    );
    let by_variable = |args: &[&str]| Ran::of(place.command(args).env("DTRP_LOG_FORMAT", "json").output().unwrap());
    fails(&by_variable(&["config", "show", "--set", "a=1"]), 3, "unknown key a");
    fails(&by_variable(&["trian"]), 2, "unrecognized subcommand 'trian'");
    assert!(
        by_variable(&["--log-format", "human", "trian"])
            .stderr
            .starts_with("error: ")
    );
}

#[test]
fn a_plug_in_that_ends_the_program_is_told_so_too() {
    let place = Place::new();
    let (_folder, library) = build_c(&examples().join("broken/misbehaves.c"));
    let predictor = format!(
        "method.predictor={}",
        json!({ "plugin": library.canonicalize().unwrap() })
    );
    for way in ["rule_exit", "load_exit"] {
        let args = train(&[&predictor, "run.epochs=20"]);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut command = place.command(&args);
        command.env("BROKEN_WAY", way).env("DTRP_LOG_FORMAT", "json");
        fails(&Ran::of(command.output().unwrap()), 8, "ended the program in ");
    }
}

#[test]
fn comparisons_read_their_runs_and_pass_it_on() {
    let place = Place::new();
    let variants = [
        "compare",
        "--variant",
        "a: model={name: tiny} run.max_steps=2",
        "--variant",
        "b: model={name: none}",
    ];
    let flag = place.dtrp(&[&["--log-format", "json"], &variants[..]].concat());
    let variable = Ran::of(
        place
            .command(&variants)
            .env("DTRP_LOG_FORMAT", "json")
            .output()
            .unwrap(),
    );
    for ran in [flag, variable] {
        fails(&ran, 5, "unknown model `none`");
    }
    let diverging = ["compare", "--variant", "a: model={name: tiny} optimizer.lr=1e30"];
    let ran = place.dtrp(&[&diverging[..], &["--log-format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        objects(&ran).iter().any(|object| object["fields"]["exit_code"] == 7),
        "{}",
        ran.stderr
    );
}
