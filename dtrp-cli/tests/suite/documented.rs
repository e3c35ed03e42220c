//! The files of a run, their schemas in the repository and `docs/runs.md` say the same.

use crate::support::{Place, workspace_file};
use serde_json::Value;
use std::collections::BTreeMap;

fn schema(name: &str) -> Value {
    let text = workspace_file(&format!("schemas/{name}.schema.json"));
    serde_json::from_str(&text).unwrap()
}

/// The schema that a reference leads to, or itself.
fn follow<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(path) => root.pointer(path.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// What is wrong with a value. Of JSON Schema this knows what ours use; `peers.rs` asks a whole implementation.
fn faults(root: &Value, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
    for word in ["oneOf", "anyOf"] {
        let Some(choices) = schema[word].as_array() else {
            continue;
        };
        let fits = |choice: &&Value| {
            let mut wrong = Vec::new();
            self::faults(root, choice, value, path, &mut wrong);
            wrong.is_empty()
        };
        let fitting = choices.iter().filter(fits).count();
        if fitting == 0 || (word == "oneOf" && fitting > 1) {
            faults.push(format!("{path}: fits {fitting} of {word}"));
        }
    }
    if schema["$ref"].is_string() {
        self::faults(root, follow(root, schema), value, path, faults);
    }
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    };
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        _ => vec![],
    };
    let smallest = schema["minimum"].as_f64();
    let too_small = value.as_f64().zip(smallest).is_some_and(|(value, least)| value < least);
    let is_other = schema.get("const").is_some_and(|only| only != value);
    let is_none = schema["enum"].as_array().is_some_and(|all| !all.contains(value));
    if (!kinds.is_empty() && !kinds.iter().any(|kind| is(kind))) || too_small || is_other || is_none {
        faults.push(format!("{path}: {value} is not {schema}"));
    }
    if let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, value) in fields {
            if let Some(property) = properties.get(name) {
                self::faults(root, property, value, &format!("{path}.{name}"), faults);
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                faults.push(format!("{path}.{name} is missing"));
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        self::faults(root, &schema["items"], item, &format!("{path}[{index}]"), faults);
    }
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

/// The tables of a section of `docs/runs.md`: the names in the first column of each row, and the second column.
fn tables(section: &str) -> Vec<Vec<(Vec<String>, String)>> {
    let page = workspace_file("docs/runs.md");
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
