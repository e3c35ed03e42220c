//! Every key that there is, with values that make no sense: an error that names the key, or a run that works.

use super::training::{build, training};
use crate::config::{Config, Set, parse_yaml};
use crate::error::{Error, USAGE};
use crate::plan;
use dtrp_train::{Stop, TrainError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Of more parameters a network's initial weights take seconds, and that it was built says enough.
const MOST_PARAMETERS: usize = 2_000_000;

/// No message is longer: what was typed is cut short in it.
const LONGEST_MESSAGE: usize = 1_500;

/// Stands for the value in a tree, until the text is written.
const MARK: &str = "@value@";

/// A configuration, and the keys that mean something there.
struct Place {
    tree: Value,
    keys: Vec<String>,
}

/// A key with a value, in the file or on the command line.
struct Case {
    key: String,
    value: String,
    text: String,
    set: Option<String>,
}

/// What came of a case.
enum Outcome {
    Run,
    /// Exit code and message.
    Error(u8, String),
    Panic,
}

fn values() -> Vec<String> {
    let given = [
        "null",
        "''",
        "-1",
        "0",
        "1e308",
        ".nan",
        ".inf",
        "-.inf",
        "[]",
        "[1]",
        "[x, y]",
        "{}",
        "{a: 1}",
        "wrong",
        "1.5",
        "true",
        "18446744073709551615",
        "1e-320",
        "2024-01-01",
        "!tag x",
        "\"\\e[31m\"",
    ];
    let long = "x".repeat(10_000);
    given.into_iter().map(str::to_owned).chain([long]).collect()
}

/// So small that a run takes no time.
fn small() -> Value {
    json!({
        "run": { "epochs": 1, "max_steps": 1 },
        "data": { "limit": 160, "test_limit": 64, "batch_size": 32 },
        "model": { "name": "tiny" },
    })
}

fn place<'a>(changes: &[(&str, Value)], keys: impl IntoIterator<Item = &'a str>) -> Place {
    let mut tree = small();
    for (key, value) in changes {
        put(&mut tree, key, value.clone());
    }
    Place {
        tree,
        keys: keys.into_iter().map(str::to_owned).collect(),
    }
}

fn put(tree: &mut Value, key: &str, value: Value) {
    let mut here = tree;
    for part in key.split('.') {
        if !here.is_object() {
            *here = json!({});
        }
        here = &mut here[part];
    }
    *here = value;
}

/// Where the files of a set are: images, for a set that has options too.
fn dir_of(set: &dtrp_data::DatasetInfo, folder: &Path) -> Value {
    if set.name != "image-folder" {
        return Value::Null;
    }
    for class in ["train/a", "train/b", "test/a", "test/b"] {
        let class = folder.join(class);
        fs::create_dir_all(&class).unwrap();
        // A PPM of 8x8 pixels.
        fs::write(class.join("0.ppm"), [b"P6 8 8 255\n".as_slice(), &[0; 192]].concat()).unwrap();
    }
    json!(folder)
}

/// Every key with a place where it has a meaning.
fn places(folder: &Path) -> Vec<Place> {
    let mut all = Vec::new();
    keys_of(
        &parse_yaml(&Config::default().to_yaml().unwrap()).unwrap(),
        "",
        &mut all,
    );
    let mut places = vec![place(&[], all.iter().map(String::as_str))];
    let options = |section: &str, options: &[dtrp_text::OptionSpec]| -> Vec<String> {
        options
            .iter()
            .map(|option| format!("{section}.{}", option.name))
            .collect()
    };
    let with = |changes: &[(&str, Value)], keys: Vec<String>| place(changes, keys.iter().map(String::as_str));
    for family in dtrp_models::list() {
        // Its options make sense beside a file alone.
        if family.name == "exported" {
            continue;
        }
        let synthetic = [
            ("model.name", json!(family.name)),
            ("data.name", json!("synthetic")),
            ("data.shape", json!([3, 32, 32])),
        ];
        places.push(with(&synthetic, options("model", family.options)));
    }
    for set in dtrp_data::list() {
        let changes = [("data.name", json!(set.name)), ("data.dir", dir_of(set, folder))];
        places.push(with(&changes, options("data", set.options)));
    }
    for predictor in dtrp_predictors::list() {
        let optimizer = if predictor.name.starts_with("adam") {
            predictor.name
        } else {
            "sgd"
        };
        let changes = [
            ("method.predictor.name", json!(predictor.name)),
            ("optimizer.name", json!(optimizer)),
        ];
        places.push(with(&changes, options("method.predictor.options", predictor.options)));
    }
    let named = |key: &'static str, name: &str| [(key, json!(name))];
    places.extend([
        place(
            &named("method.predictor.name", "momentum"),
            ["name", "options", "plugin", "id"].map(|key| match key {
                "name" => "method.predictor.name",
                "options" => "method.predictor.options",
                "plugin" => "method.predictor.plugin",
                _ => "method.predictor.id",
            }),
        ),
        place(&named("method.name", "local"), ["method.auxiliary"]),
        place(
            &named("method.name", "gpipe"),
            ["method.micro_batches", "method.order", "method.modules"],
        ),
        place(
            &named("method.name", "fdg"),
            ["method.accumulate", "method.gradient_shrink"],
        ),
        place(
            &named("optimizer.name", "adam"),
            ["optimizer.betas", "optimizer.epsilon", "optimizer.weight_decay"],
        ),
        place(
            &named("optimizer.schedule.name", "multi-step"),
            ["optimizer.schedule.milestones", "optimizer.schedule.gamma"],
        ),
    ]);
    places
}

/// Every key, sections too.
fn keys_of(tree: &Value, path: &str, keys: &mut Vec<String>) {
    for (key, value) in tree.as_object().into_iter().flatten() {
        let here = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        keys_of(value, &here, keys);
        keys.push(here);
    }
}

/// Each of them with each value, in a file and with `--set`.
fn cases(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for Place { tree, keys } in places(folder) {
        for key in keys {
            for value in values() {
                let mut with = tree.clone();
                put(&mut with, &key, json!(MARK));
                let in_file = with.to_string().replace(&format!("\"{MARK}\""), &value);
                let set = format!("{key}={value}");
                for (text, set) in [(in_file, None), (tree.to_string(), Some(set))] {
                    cases.push(Case {
                        key: key.clone(),
                        value: value.clone(),
                        text,
                        set,
                    });
                }
            }
        }
    }
    cases
}

fn outcome(case: &Case) -> Outcome {
    let mut sets = Vec::new();
    if let Some(set) = &case.set {
        match set.parse::<Set>() {
            Ok(set) => sets.push(set),
            // As clap tells it.
            Err(error) => return Outcome::Error(USAGE, format!("invalid value: {}: {error}", case.key)),
        }
    }
    let plan = || -> Result<(), Error> {
        let config = Config::parse("x.yaml", &case.text, &sets)?;
        if training(&config, &Stop::new())?.network().parameters() > MOST_PARAMETERS {
            return Ok(());
        }
        let mut trainer = build(&config, &Stop::new())?;
        let text = plan::describe(&trainer)?;
        assert!(text.contains("model "), "{text}");
        match trainer.fit() {
            // As it should, with a learning rate beyond all measure.
            Err(TrainError::Diverged(_)) if case.key.starts_with("optimizer") => Ok(()),
            ended => ended.map(|_| ()).map_err(Error::from),
        }
    };
    match catch_unwind(AssertUnwindSafe(plan)) {
        Ok(Ok(())) => Outcome::Run,
        Ok(Err(error)) => Outcome::Error(error.exit_code(), error.to_string()),
        Err(_) => Outcome::Panic,
    }
}

/// The message without what stands in it because it was typed.
fn own_words<'a>(case: &Case, message: &'a str) -> &'a str {
    match &case.set {
        Some(set) => {
            let origin = format!("--set {}: ", dtrp_text::shortened(set));
            message.strip_prefix(&origin).unwrap_or(message)
        }
        None => message.strip_prefix("x.yaml: ").unwrap_or(message),
    }
}

/// Whether the message has the key, or one below it. What is inside the value of one key is told with that key.
fn names(message: &str, key: &str) -> bool {
    let key = match key {
        "method.predictor.name" | "method.predictor.id" | "method.predictor.plugin" | "method.predictor.options" => {
            "method.predictor"
        }
        key => key,
    };
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    message.match_indices(key).any(|(at, _)| {
        let before = message[..at].chars().next_back();
        let after = &message[at + key.len()..];
        // A section's name is a word of any sentence: `data is 3`, `run.a`, but not `data set`.
        let told = key.contains('.') || after.starts_with('.') || after.starts_with(" is ") || after.starts_with(':');
        let whole = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        !before.is_some_and(inside) && told && whole
    })
}

/// Those of wrong usage, of the configuration, and of what does not exist or does not fit. None of the values names data, a
/// device or a plug-in that is merely not there.
fn right_code(code: u8) -> bool {
    matches!(code, 2 | 3 | 5)
}

#[test]
fn is_refused_by_name_or_works() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(folder.path());
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let outcome = outcome(case);
                    results.lock().unwrap().push((case, outcome, start.elapsed()));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for (case, outcome, took) in &results {
        let short: String = case.value.chars().take(20).collect();
        let mut complain = |what: &str| {
            let place = if case.set.is_some() { "--set" } else { "file" };
            wrong.push(format!("{} ({place}) {short}: {what}", case.key));
        };
        let kind = match outcome {
            Outcome::Run => {
                // What is no number, or far too long to be meant, never works.
                if case.value.contains(".nan") || case.value.contains(".inf") {
                    complain("is taken");
                }
                "a run".to_owned()
            }
            Outcome::Panic => {
                complain("panics");
                "a panic".to_owned()
            }
            Outcome::Error(code, message) => {
                let own = own_words(case, message);
                if !right_code(*code) || !names(own, &case.key) {
                    complain(&format!("exit code {code}: {}", dtrp_text::shortened(own)));
                }
                if message.len() > LONGEST_MESSAGE {
                    complain(&format!("a message of {} bytes", message.len()));
                }
                format!("exit code {code}")
            }
        };
        if took.as_secs() >= 20 {
            complain(&format!("takes {took:.1?}"));
        }
        *counts.entry(kind).or_insert(0) += 1;
    }
    eprintln!("{} cases in {:.1?}: {counts:?}", results.len(), start.elapsed());
    results.sort_by_key(|(.., took)| std::cmp::Reverse(*took));
    for (case, _, took) in results.iter().take(5) {
        eprintln!("slow: {took:.2?} {} = {:.20}", case.key, case.value);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
