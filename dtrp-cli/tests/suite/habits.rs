//! Completions and the page for `man` have all that can be typed.

use crate::support::Place;

/// The commands that `--help` lists.
fn commands(place: &Place) -> Vec<String> {
    let help = place.dtrp(&["-h"]).stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let lines = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_command_is_completed() {
    let place = Place::new();
    let commands = commands(&place);
    assert!(commands.len() > 15, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let ran = place.dtrp(&["completions", shell]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for word in commands.iter().map(String::as_str).chain(["dry-run", "log-format"]) {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn the_page_has_what_help_has() {
    let place = Place::new();
    let ran = place.dtrp(&["man"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for command in commands(&place) {
        assert!(ran.stdout.contains(&command.replace('-', "\\-")), "{command}");
    }
    for section in [".SH SYNOPSIS", ".SH OPTIONS", "Exit codes", "Examples"] {
        assert!(ran.stdout.contains(section), "{section}: {}", ran.stdout);
    }
    assert!(place.dtrp(&["man", "train"]).stdout.contains("\\-\\-dry\\-run"));
    assert!(place.dtrp(&["man", "schedule", "show"]).stdout.contains("\\-\\-order"));
    let wrong = place.dtrp(&["man", "trian"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("did you mean `train`?"), "{}", wrong.stderr);
}

#[test]
fn every_value_says_where_it_comes_from() {
    let place = Place::new();
    std::fs::write(place.file("a.yaml"), "run:\n  seed: 3\n").unwrap();
    let ran = place.dtrp(&["config", "show", "--origin", "-c", "a.yaml", "-s", "optimizer.lr=0.5"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let row = |key: &str| {
        let line = ran
            .stdout
            .lines()
            .find(|line| line.starts_with(&format!("{key} ")))
            .unwrap();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("run.seed"), "3 a.yaml, line 2");
    assert_eq!(row("optimizer.lr"), "0.5 --set optimizer.lr=0.5");
    assert_eq!(row("optimizer.momentum"), "0.9 default");
}
