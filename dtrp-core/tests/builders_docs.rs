//! Every example in the documents about schedules is what the code prints, or is accepted or refused as they say.
//!
//! An example is a fenced block after a comment `<!-- example: … -->`. After a deliberate change, run this test with
//! `UPDATE_DOCS=1` and read the difference.

use dtrp_core::analysis::analyse;
use dtrp_core::schedule::{Method, Order, Plan, Program};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `dtrp 3 6 eager`: a method, K, N, and an order if it is not the default.
fn program(words: &[&str]) -> Program {
    let plan = Plan::new(words[1].parse().unwrap(), words[2].parse().unwrap());
    let order = words.get(3).map(|order| order.parse::<Order>().unwrap());
    let plan = Plan { order, ..plan };
    Method::named(words[0]).unwrap().program(&plan).unwrap()
}

/// What is wrong with a program: in its text, or found by the analysis.
fn verdict(text: &str) -> Result<(), String> {
    let program: Program = text.parse().map_err(|e| format!("{e}\n"))?;
    analyse(&program, NonZeroUsize::MIN).map_err(|fault| format!("{fault}\n"))?;
    Ok(())
}

/// Carries out an edit such as `worker 1: drop R1@0`, and says what the analysis finds.
fn fault_after(edit: &str, program: &Program) -> String {
    let mut program = program.clone();
    let (worker, edit) = edit.split_once(": ").unwrap();
    let worker: usize = worker.strip_prefix("worker ").unwrap().parse().unwrap();
    let actions = &mut program.workers[worker - 1];
    let at = |actions: &[_], token: &str| {
        let action = token.parse().unwrap();
        actions
            .iter()
            .position(|a| *a == action)
            .unwrap_or_else(|| panic!("no {token}"))
    };
    match *edit.split(' ').collect::<Vec<_>>() {
        ["drop", token] => {
            actions.remove(at(actions, token));
        }
        ["repeat", token] => {
            let index = at(actions, token);
            actions.insert(index, actions[index]);
        }
        ["swap", a, b] => {
            let (a, b) = (at(actions, a), at(actions, b));
            actions.swap(a, b);
        }
        ["move", token, "to", "the", "front"] => {
            let action = actions.remove(at(actions, token));
            actions.insert(0, action);
        }
        [old, "becomes", new] => {
            let index = at(actions, old);
            actions[index] = new.parse().unwrap();
        }
        _ => panic!("unknown edit {edit}"),
    }
    let fault = analyse(&program, NonZeroUsize::MIN).unwrap_err().to_string();
    fault.lines().next().unwrap_or_default().to_owned()
}

/// What a block should contain, from the words of its comment, what it contains, and the block before it.
fn expected(example: &str, block: &str, before: &str) -> String {
    let words: Vec<_> = example.split(' ').collect();
    match words[0] {
        "table" => program(&words[1..]).table(),
        "text" => program(&words[1..]).to_string(),
        "json" => program(&words[1..]).to_json(),
        "table-of-the-above" => before.parse::<Program>().unwrap().table(),
        "valid" => {
            assert_eq!(verdict(block), Ok(()), "{block}");
            block.to_owned()
        }
        "wrong" => {
            assert!(verdict(block).is_err(), "{block}");
            block.to_owned()
        }
        "error-of-the-above" => verdict(before).unwrap_err(),
        "faults" => {
            let program = program(&words[1..]);
            let edits = block.lines().filter(|line| line.starts_with("worker"));
            let said = edits.map(|edit| format!("{edit}\n  {}\n", fault_after(edit, &program)));
            said.collect()
        }
        "file" => {
            let path = root().join(words[1]);
            let text = std::fs::read_to_string(&path);
            let text = text.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            // A snapshot begins with a header between two lines of dashes.
            match text.strip_prefix("---\n").and_then(|t| t.split_once("---\n")) {
                Some((_, body)) => body.to_owned(),
                None => text,
            }
        }
        unknown => panic!("unknown example `{unknown}`"),
    }
}

fn check(document: &str, examples: usize) {
    let path = root().join("docs").join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut out, mut before, mut found) = (String::new(), String::new(), 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out.push_str(&format!("{line}\n"));
        let marker = line.strip_prefix("<!-- example: ").and_then(|l| l.strip_suffix(" -->"));
        let Some(example) = marker else { continue };
        let fence = lines.find(|line| !line.is_empty()).unwrap_or_default();
        assert!(fence.starts_with("```"), "{document}: no block after {line}");
        let block = lines.by_ref().take_while(|line| *line != "```");
        let block: String = block.map(|line| format!("{line}\n")).collect();
        let mut expected = expected(example, &block, &before);
        if !expected.ends_with('\n') {
            expected.push('\n');
        }
        out.push_str(&format!("\n{fence}\n{expected}```\n"));
        before = expected;
        found += 1;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &out).unwrap();
    } else {
        assert!(out == text, "{document} is out of date; expected:\n{out}");
    }
    assert_eq!(found, examples, "examples in {document}");
}

#[test]
fn schedules() {
    check("schedules.md", 11);
}

#[test]
fn snapshot_tests() {
    check("snapshot-tests.md", 4);
}
