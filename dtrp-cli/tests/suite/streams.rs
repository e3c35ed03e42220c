//! Output that cannot be written is an error; a reader that has gone away is none; a closed stderr ends nothing.

use crate::build::{build_c, examples};
use crate::support::{Place, Ran};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Stdio;

/// Every command that prints something, with as little work as it can have.
const COMMANDS: [&[&str]; 26] = [
    &["--help"],
    &["--version"],
    &["train", "--help"],
    &["train", "--dry-run", "--set", "model={name: tiny}"],
    &["train", "--set", "model={name: tiny}", "--set", "run.max_steps=2"],
    &["config", "show"],
    &["compare", "--variant", "a: model={name: tiny} run.max_steps=2"],
    &[
        "sweep",
        "--set-list",
        "run.seed=1,2",
        "--set",
        "model={name: tiny}",
        "--set",
        "run.max_steps=2",
    ],
    &["schedule", "show"],
    &["schedule", "show", "--format", "json"],
    &["schedule", "check", "program.txt"],
    &["schedule", "list"],
    &["data", "list"],
    &["data", "list", "--format", "json"],
    &["models", "list"],
    &["models", "show", "tiny"],
    &["predictors", "list"],
    &["predictors", "show", "momentum"],
    &[
        "predictors",
        "compare",
        "--predictor",
        "none",
        "--steps",
        "4",
        "--set",
        "model={name: tiny}",
    ],
    &["simulate"],
    &["doctor"],
    &["eval", "runs/done"],
    &["eval", "runs/done", "--format", "json"],
    &["predict", "runs/done", "eight.pgm"],
    &["predict", "runs/done", "eight.pgm", "--format", "json"],
    &["lr-find", "--steps", "20", "--set", "model={name: tiny}"],
];

/// With more to do: measuring.
const MEASURING: [&[&str]; 2] = [
    &[
        "profile",
        "--steps",
        "1",
        "--set",
        "data.shape=[1, 8, 8]",
        "--set",
        "model={name: tiny}",
    ],
    &[
        "bench",
        "--alone",
        "--pairs",
        "1",
        "--steps",
        "2",
        "--set",
        "data.shape=[1, 8, 8]",
        "--set",
        "model={name: tiny}",
        "--set",
        "method.cuts=even",
    ],
];

fn place() -> Place {
    let place = Place::new();
    let program = place.dtrp(&["schedule", "show", "--format", "text"]);
    std::fs::write(place.file("program.txt"), program.stdout).unwrap();
    std::fs::write(place.file("eight.pgm"), "P5 8 8 255 ".to_owned() + &"x".repeat(64)).unwrap();
    place.tiny("done", &[]);
    place
}

fn into(place: &Place, args: &[&str], stdout: impl Into<Stdio>) -> Ran {
    Ran::of(place.command(args).stdout(stdout).output().unwrap())
}

/// A pipe that nobody reads.
fn closed_pipe() -> OwnedFd {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_full_disk_is_told_by_every_command() {
    let place = place();
    for args in COMMANDS.iter().chain(&MEASURING) {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = into(&place, args, full);
        assert_eq!(ran.code, 9, "{args:?}: {}", ran.stderr);
        assert!(
            ran.stderr
                .contains("error: standard output: cannot be written: No space left"),
            "{args:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let place = place();
    for args in COMMANDS {
        let ran = into(&place, args, closed_pipe());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("error"), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_closed_stderr_ends_nothing() {
    let place = place();
    let (_folder, plug_in) = build_c(&examples().join("c-lookahead/lookahead.c"));
    let logs = format!("method.predictor={}", serde_json::json!({ "plugin": plug_in }));
    let short = ["--set", "model={name: tiny}", "--set", "run.max_steps=40", "--set"];
    for (args, code) in [
        (
            &[
                "train",
                "--name",
                "a",
                "--set",
                "model={name: tiny}",
                "--set",
                "run.epochs=3",
            ][..],
            0,
        ),
        (
            &[&["-vv", "train", "--name", "b"], &short[..], &[logs.as_str()]].concat(),
            0,
        ),
        (&["train", "--set", "optimizer.lr=x"], 3),
        (&["fly"], 2),
    ] {
        let status = place
            .command(args)
            .stdout(Stdio::null())
            .stderr(closed_pipe())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
    assert_eq!(place.summary("b")["end"], "finished");
    // Closed from the start.
    let script = r#""$0" train --name c --set 'model={name: tiny}' --set run.max_steps=4 >&- 2>&-"#;
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_dtrp")])
        .current_dir(place.path());
    assert!(shell.status().unwrap().success());
    assert_eq!(place.summary("c")["end"], "finished");
}
