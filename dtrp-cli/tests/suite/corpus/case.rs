//! A case of the corpus, as its file has it.
//!
//! ```text
//! # dtrp train --dry-run --config FILE
//! # exit 3
//! # says optimizer.lr is -1
//! optimizer: {lr: -1}
//! ```
//!
//! Each line at the beginning is one direction: what is typed, what must come of it, and before that, how files are made.
//! In a file that is itself the input the directions are comments; beside any other input, or none, stands `NAME.case`.
//! `FILE` is the input.

use super::recipe::Step;
use crate::support::TINY;
use std::fs;
use std::path::{Path, PathBuf};

/// What is done, and what must come of it.
#[derive(Default)]
pub(super) struct Case {
    /// As `config/lr.yaml`.
    pub(super) name: String,
    /// Files that are in the folder from the beginning.
    pub(super) files: Vec<PathBuf>,
    pub(super) steps: Vec<Step>,
    /// After `dtrp`.
    pub(super) args: Vec<String>,
    pub(super) stdin: Option<String>,
    pub(super) exit: Option<i32>,
    /// Pieces of what is said, on stderr or stdout.
    pub(super) says: Vec<String>,
    /// Whether a run may have begun: what is wrong is found when its turn comes.
    pub(super) leaves_a_run: bool,
}

/// Every case in the folder, by name.
pub(super) fn all(corpus: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for folder in listed(corpus) {
        let mut entries = listed(&folder);
        let beside = |path: &Path| path.extension().is_some_and(|ending| ending == "case");
        let described: Vec<PathBuf> = entries.iter().filter(|path| beside(path)).cloned().collect();
        // What such a file is beside is part of it.
        entries.retain(|path| beside(path) || !described.contains(&path.with_extension("case")));
        for path in entries {
            let name = path.strip_prefix(corpus).unwrap().display().to_string();
            cases.push(if path.is_dir() {
                of_folder(name, &path)
            } else if beside(&path) {
                of_description(name, &path)
            } else {
                of_input(name, &path)
            });
        }
    }
    cases
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A folder with a file `case`; the others are in the working folder.
fn of_folder(name: String, folder: &Path) -> Case {
    let mut files = listed(folder);
    let description = folder.join("case");
    files.retain(|file| *file != description);
    let text = fs::read_to_string(&description).unwrap_or_else(|error| panic!("{name}/case: {error}"));
    read(name, text.lines(), files)
}

/// `NAME.case`, and whatever else has this name.
fn of_description(name: String, path: &Path) -> Case {
    let mut files = listed(path.parent().unwrap());
    files.retain(|file| file != path && file.file_stem() == path.file_stem());
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    read(name, text.lines(), files)
}

/// A file that begins with comments.
fn of_input(name: String, path: &Path) -> Case {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let lines = text.lines().map_while(|line| line.strip_prefix("# "));
    read(name, lines, vec![path.to_owned()])
}

fn read<'a>(name: String, lines: impl Iterator<Item = &'a str>, files: Vec<PathBuf>) -> Case {
    let mut case = Case {
        name,
        files,
        ..Case::default()
    };
    let input = case.files.first().and_then(|file| file.file_name());
    let input = input.map_or_else(|| "FILE".to_owned(), |name| name.to_string_lossy().into_owned());
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "dtrp" => case.args = words(&rest.replace("FILE", &input)),
            "stdin" => case.stdin = Some(rest.to_owned()),
            "exit" => case.exit = Some(rest.parse().unwrap_or_else(|_| panic!("{}: {line}", case.name))),
            "says" => case.says.push(rest.to_owned()),
            "leaves" => case.leaves_a_run = true,
            _ => case.steps.push(Step::read(line, &case.name)),
        }
    }
    let whole = case.exit.is_some() && !case.says.is_empty();
    assert!(whole, "{}: a case has `dtrp …`, `exit …` and `says …`", case.name);
    case
}

/// The words of a command line; those in `'…'` may have blanks. `TINY` is a network and a run that take no time.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            // Glued to what stands directly before it.
            match words.last_mut() {
                Some(last) if !line.contains(&format!(" '{part}'")) => *last = format!("{last}{part}"),
                _ => words.push(part.to_owned()),
            }
            continue;
        }
        for word in part.split_whitespace() {
            if word == "TINY" {
                words.extend(TINY.iter().flat_map(|set| ["--set", set]).map(str::to_owned));
            } else {
                words.push(word.to_owned());
            }
        }
    }
    words
}
