//! The files of a run, their schemas in the repository and `docs/runs.md` say the same.

use crate::faults::{faults, follow};
use crate::support::{Place, workspace_file};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn schema(name: &str) -> Value {
    let text = workspace_file(&format!("schemas/{name}.schema.json"));
    serde_json::from_str(&text).unwrap()
}

/// The fields of an object, through references.
fn fields<'a>(root: &'a Value, schema: &'a Value) -> BTreeMap<String, &'a Value> {
    let own = schema["properties"].as_object().into_iter().flatten();
    let own = own.map(|(name, schema)| (name.clone(), schema));
    let mut all: BTreeMap<_, _> = own.collect();
    if schema["$ref"].is_string() {
        all.extend(fields(root, follow(root, schema)));
    }
    all
}

/// The object that a field is, may be, or is a list of.
fn inner<'a>(root: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let schema = follow(root, schema);
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().find_map(|choice| inner(root, choice));
    }
    match schema.get("items") {
        Some(items) => inner(root, items),
        None => schema.get("properties").map(|_| schema),
    }
}

/// A row of a table: the names in its first column, and its second one.
type Row = (Vec<String>, String);

/// The tables of a section of `docs/runs.md`.
fn tables(section: &str) -> Vec<Vec<Row>> {
    tables_of("docs/runs.md", section)
}

/// The tables of a section of a page.
fn tables_of(page: &str, section: &str) -> Vec<Vec<Row>> {
    let page = workspace_file(page) + "\n## \n";
    let start = page.find(&format!("\n## {section}\n")).unwrap();
    let section = &page[start + 1..];
    let section = &section[..section.find("\n## ").unwrap()];
    let mut tables: Vec<Vec<_>> = Vec::new();
    let mut inside = false;
    for line in section.lines() {
        let Some((first, second)) = line.strip_prefix("| ").and_then(|row| row.split_once(" | ")) else {
            inside = inside && line.starts_with('|');
            continue;
        };
        if std::mem::replace(&mut inside, true) {
            tables
                .last_mut()
                .unwrap()
                .push((in_backticks(first), second.to_owned()));
        } else {
            tables.push(Vec::new());
        }
    }
    tables
}

fn in_backticks(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The table names every field once and no other, and the fields of objects without a table of their own.
fn agree(table: &[(Vec<String>, String)], root: &Value, schema: &Value, own_table: &[&str]) {
    let mut named: Vec<_> = table.iter().flat_map(|(names, _)| names.clone()).collect();
    named.sort();
    let fields = fields(root, schema);
    assert_eq!(named, fields.keys().cloned().collect::<Vec<_>>());
    for (names, meaning) in table {
        for name in names.iter().filter(|name| !own_table.contains(&name.as_str())) {
            let Some(inner) = inner(root, fields[name]) else {
                continue;
            };
            for part in self::fields(root, inner).keys() {
                let told = in_backticks(meaning);
                assert_eq!(
                    told.iter().filter(|told| *told == part).count(),
                    1,
                    "{name}.{part}: {meaning}"
                );
            }
        }
    }
}

#[test]
fn every_field_is_documented_once() {
    let metrics = schema("metrics");
    let tables_of = tables("metrics.jsonl");
    let [step, epoch, worker] = &tables_of[..] else {
        panic!("{tables_of:?}")
    };
    agree(step, &metrics, &metrics["oneOf"][0], &[]);
    agree(epoch, &metrics, &metrics["oneOf"][1], &["workers"]);
    agree(worker, &metrics, &metrics["$defs"]["WorkerReport"], &[]);
    let summary = schema("summary");
    let tables_of = tables("summary.json");
    let [whole, worker] = &tables_of[..] else {
        panic!("{tables_of:?}")
    };
    agree(whole, &summary, &summary, &["workers"]);
    agree(worker, &summary, &summary["$defs"]["WorkerSummary"], &[]);
}

#[test]
fn every_tag_is_documented_once() {
    let place = Place::new();
    place.tiny("a", &["logging.tensorboard=true"]);
    let mut tags: Vec<_> = crate::logging::tags(&place, "a");
    for tag in &mut tags {
        *tag = tag.replace("worker/1/", "worker/K/").replace("worker/2/", "worker/K/");
    }
    tags.sort();
    tags.dedup();
    let tables_of = tables("Tables and TensorBoard");
    let [table] = &tables_of[..] else {
        panic!("{tables_of:?}")
    };
    let mut named: Vec<_> = table.iter().flat_map(|(names, _)| names.clone()).collect();
    named.sort();
    assert_eq!(tags, named);
}

#[test]
fn runs_fit_their_schemas() {
    let place = Place::new();
    let (metrics, summary) = (schema("metrics"), schema("summary"));
    for (name, set) in [
        ("predicting", "method.modules=3"),
        ("plain", "method={name: bp, modules: 1}"),
        ("filled", "method.batch_compensation.fill=true"),
    ] {
        place.tiny(name, &[set]);
        let mut wrong = Vec::new();
        faults(&summary, &summary, &place.summary(name), "summary", &mut wrong);
        for line in place.read(&format!("{name}/metrics.jsonl")).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            faults(&metrics, &metrics, &line, "metrics", &mut wrong);
        }
        assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
    }
    // And what does not fit is found.
    let mut wrong = Vec::new();
    let mut changed = place.summary("plain");
    changed["steps"] = "many".into();
    changed["workers"][0]["updates"] = (-1).into();
    changed["plugin"] = serde_json::json!({ "path": 3 });
    changed["end"] = "lost".into();
    changed.as_object_mut().unwrap().shift_remove("lr");
    faults(&summary, &summary, &changed, "summary", &mut wrong);
    assert_eq!(wrong.len(), 5, "{}", wrong.join("\n"));
}

/// The names in the first columns of the tables of a section, sorted; none stands there twice.
fn named(page: &str, section: &str) -> Vec<String> {
    let rows = tables_of(page, section).into_iter().flatten();
    let mut names: Vec<_> = rows.flat_map(|(names, _)| names).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "{page}: {section} has a name twice");
    names
}

#[test]
fn every_exit_code_is_documented_once() {
    let place = Place::new();
    let help = place.dtrp(&["--help"]).stdout;
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let codes = codes.lines().filter_map(|line| line.trim().split_once("  "));
    let codes: Vec<_> = codes.map(|(code, meaning)| (vec![code.to_owned()], meaning)).collect();
    let tables_of = tables_of("docs/program.md", "Exit codes");
    let [table] = &tables_of[..] else {
        panic!("{tables_of:?}")
    };
    let table: Vec<_> = table
        .iter()
        .map(|(code, meaning)| (code.clone(), meaning.trim_end_matches(" |")))
        .collect();
    assert_eq!(codes, table);
    assert!(codes.len() > 10, "{help}");
}

#[test]
fn every_signal_is_documented_once() {
    let code = workspace_file("dtrp-cli/src/stop.rs");
    let (_, list) = code
        .split_once("const SIGNALS")
        .and_then(|(_, rest)| rest.split_once("= ["))
        .unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let mut signals: Vec<_> = list.split(',').map(|name| name.trim().to_owned()).collect();
    signals.sort();
    assert_eq!(signals, named("docs/program.md", "Signals"));
}

#[test]
fn every_event_is_documented_once() {
    let code = workspace_file("dtrp-train/src/events/mod.rs");
    let (_, list) = code.split_once("pub enum Event {\n").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let variants = list
        .lines()
        .filter(|line| line.starts_with("    ") && !line.trim().starts_with("//"));
    let mut events: Vec<_> = variants
        .map(|line| line.trim().split(['(', ',']).next().unwrap().to_owned())
        .collect();
    events.sort();
    assert_eq!(events, named("docs/library.md", "What happens meanwhile"));
}

#[test]
fn every_field_of_a_checkpoint_is_documented_once() {
    let place = Place::new();
    place.tiny("a", &["checkpoint.every_steps=3", "checkpoint.keep_last=9"]);
    let tables_of = tables("Checkpoints: stopping and going on");
    let table = tables_of.last().unwrap();
    let mut documented: Vec<_> = table.iter().flat_map(|(names, _)| names.clone()).collect();
    documented.sort();
    // In the middle of a program and at its end.
    let mut inner: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in ["step-00000003", "latest"] {
        let state: Value = serde_json::from_str(&place.read(&format!("a/checkpoints/{folder}/state.json"))).unwrap();
        let state = state.as_object().unwrap();
        let mut fields: Vec<_> = state.keys().cloned().collect();
        fields.sort();
        assert_eq!(documented, fields);
        for field in ["predictor", "position", "results"] {
            let parts = state[field].as_object().into_iter().flatten();
            inner
                .entry(field.to_owned())
                .or_default()
                .extend(parts.map(|(name, _)| name.clone()));
        }
        let program = state["position"]["program"].as_object().into_iter().flatten();
        inner
            .entry("position".to_owned())
            .or_default()
            .extend(program.map(|(name, _)| name.clone()));
        for file in state["files"].as_object().unwrap().values() {
            let parts = file.as_object().unwrap().keys().cloned();
            inner.entry("files".to_owned()).or_default().extend(parts);
        }
    }
    for (names, meaning) in table {
        for part in names.iter().filter_map(|name| inner.get(name)).flatten() {
            let told = in_backticks(meaning);
            assert_eq!(
                told.iter().filter(|told| *told == part).count(),
                1,
                "{names:?}: {part}: {meaning}"
            );
        }
    }
}

/// Every Rust source file of the workspace, with its path.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, all: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, all);
            } else if path.extension().is_some_and(|end| end == "rs") {
                all.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    for entry in fs::read_dir(&root).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("dtrp-") || name == "xtask" {
            walk(&entry.path(), &mut all);
        }
    }
    all
}

/// What stands between quotes and is a name as variables have one.
fn words_in_quotes(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('"').skip(1);
    words.filter(|word| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && word
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

#[test]
fn every_variable_is_documented_once() {
    /// Of cargo, of compilers, and of other programs that tests start.
    const FOREIGN: [&str; 4] = ["OUT_DIR", "CC", "CXX", "XTASK_TEST_ROOT"];
    let documented = named("docs/program.md", "Variables");
    let mut read = BTreeSet::new();
    for (path, text) in sources() {
        // Names of the plug-in interface in C begin in the same way.
        if path.ends_with("dtrp-predictors/tests/header.rs") {
            continue;
        }
        let own = words_in_quotes(&text).filter(|word| word.len() > 5 && word.starts_with("DTRP_"));
        read.extend(own.map(str::to_owned));
        for call in ["env::var(", "env::var_os(", "option_env!(", "env!(", "named("] {
            for (_, rest) in text.match_indices(call).map(|(at, _)| text[at..].split_at(call.len())) {
                if let Some(word) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next())
                    && words_in_quotes(&format!("\"{word}\"")).next().is_some()
                    && !word.starts_with("CARGO")
                    && !FOREIGN.contains(&word)
                {
                    read.insert(word.to_owned());
                }
            }
        }
    }
    // Read by crates that others have written: the log's filter, and the home folder.
    read.extend(["RUST_LOG", "HOME"].map(str::to_owned));
    // Given to a function that is told the environment.
    read.extend(["LIBTORCH_USE_PYTORCH", "XDG_CACHE_HOME"].map(str::to_owned));
    assert_eq!(documented, read.into_iter().collect::<Vec<_>>());
}
