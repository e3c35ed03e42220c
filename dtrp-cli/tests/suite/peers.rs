//! What others make of a run's files: TensorBoard's own reader, pandas, an implementation of JSON Schema.
//!
//! They need Python packages, which `cargo xtask test --peers` installs; it names their Python in `DTRP_PEERS_PYTHON`.

use crate::support::Place;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What a Python program prints as JSON in this folder.
fn python(folder: &Path, program: &str, args: &[&str]) -> Value {
    let python = std::env::var_os("DTRP_PEERS_PYTHON").expect("`cargo xtask test --peers` runs these tests");
    let mut command = Command::new(python);
    command.args(["-c", program]).args(args).current_dir(folder);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// A run with everything written.
fn trained() -> Place {
    let place = Place::new();
    let both = "logging={csv: true, tensorboard: true}";
    place.tiny("a", &[both, "method.modules=3", "run.log_every=3"]);
    place
}

/// The values of a field at their steps.
fn points(place: &Place, kind: &str, path: &str) -> Vec<(u64, f64)> {
    let events = place.events("a", kind);
    let points = events.iter().filter_map(|event| {
        let value = event.pointer(path).unwrap().as_f64()?;
        Some((event["step"].as_u64().unwrap(), value))
    });
    points.collect()
}

#[test]
#[ignore = "needs Python packages: cargo xtask test --peers"]
fn tensorboard_reads_every_scalar() {
    let place = trained();
    let read = python(
        place.path(),
        "import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
run = EventAccumulator('runs/a/tensorboard', size_guidance={'scalars': 0})
run.Reload()
scalars = {tag: [[p.step, p.value] for p in run.Scalars(tag)] for tag in run.Tags()['scalars']}
config = run.Tensors('config')[0].tensor_proto.string_val[0].decode()
plugin = run.SummaryMetadata('config').plugin_data.plugin_name
print(json.dumps({'scalars': scalars, 'config': config, 'plugin': plugin}))",
        &[],
    );
    let mut scalars = read["scalars"].as_object().unwrap().clone();
    let mut check = |tag: &str, kind: &str, path: &str| {
        let found = scalars.shift_remove(tag).unwrap_or(Value::Array(Vec::new()));
        let found = found.as_array().unwrap().iter();
        let found: Vec<_> = found
            .map(|point| (point[0].as_u64().unwrap(), point[1].as_f64().unwrap()))
            .collect();
        let expected = points(&place, kind, path).into_iter();
        let expected: Vec<_> = expected.map(|(step, value)| (step, f64::from(value as f32))).collect();
        assert_eq!(found, expected, "{tag}");
    };
    for (tag, kind, path) in [
        ("loss/train", "step", "/loss"),
        ("learning_rate", "step", "/lr"),
        ("epoch", "epoch", "/epoch"),
        ("loss/train_epoch", "epoch", "/train_loss"),
        ("loss/test", "epoch", "/test_loss"),
        ("accuracy/test", "epoch", "/test_accuracy"),
        ("images_per_second", "epoch", "/images_per_second"),
        ("memory/peak_rss_bytes", "epoch", "/peak_rss_bytes"),
    ] {
        check(tag, kind, path);
    }
    for worker in 1..=3 {
        for field in [
            "busy_share",
            "staleness_max",
            "stored_input_peak_bytes",
            "prediction_gain",
        ] {
            let path = format!("/workers/{}/{field}", worker - 1);
            check(&format!("worker/{worker}/{field}"), "epoch", &path);
        }
    }
    assert!(scalars.is_empty(), "{scalars:?}");
    assert_eq!(read["plugin"], "text");
    assert!(
        read["config"]
            .as_str()
            .unwrap()
            .starts_with("    run:\n      name: a\n")
    );
}

#[test]
#[ignore = "needs Python packages: cargo xtask test --peers"]
fn pandas_reads_the_tables() {
    let place = trained();
    for (file, kind) in [("steps.csv", "step"), ("epochs.csv", "epoch")] {
        let read = python(
            place.path(),
            "import json, sys, pandas
table = pandas.read_csv(sys.argv[1])
print(json.dumps({
    'kinds': {name: str(kind) for name, kind in table.dtypes.items()},
    'columns': {name: [None if pandas.isna(x) else float(x) for x in table[name]] for name in table},
}))",
            &[&format!("runs/a/{file}")],
        );
        let kinds = read["kinds"].as_object().unwrap();
        assert!(
            kinds.values().all(|kind| kind == "int64" || kind == "float64"),
            "{kinds:?}"
        );
        assert_eq!(kinds["step"], "int64");
        let columns = read["columns"].as_object().unwrap();
        assert!(columns.len() > 4);
        for (name, values) in columns {
            let path = match name.strip_prefix("worker").and_then(|rest| rest.split_once('_')) {
                Some((worker, field)) => format!("/workers/{}/{field}", worker.parse::<usize>().unwrap() - 1),
                None => format!("/{name}"),
            };
            let events = place.events("a", kind);
            let values = values.as_array().unwrap();
            assert_eq!(values.len(), events.len());
            for (value, event) in values.iter().zip(&events) {
                let (found, expected) = (value.as_f64(), event.pointer(&path).unwrap().as_f64());
                // The usual reader of pandas may be off by the last digit.
                let near = |(a, b): (f64, f64)| (a - b).abs() <= 1e-14 * b.abs();
                assert!(found.is_some() == expected.is_some(), "{name}");
                assert!(found.zip(expected).is_none_or(near), "{name}: {found:?} {expected:?}");
            }
        }
    }
}

#[test]
#[ignore = "needs Python packages: cargo xtask test --peers"]
fn runs_fit_their_schemas() {
    let place = trained();
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas");
    let checked = python(
        place.path(),
        "import json, sys
from jsonschema import Draft202012Validator
def validator(name):
    schema = json.load(open(f'{sys.argv[1]}/{name}.schema.json'))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
metrics, summary = validator('metrics'), validator('summary')
lines = [json.loads(line) for line in open('runs/a/metrics.jsonl')]
for line in lines:
    metrics.validate(line)
summary.validate(json.load(open('runs/a/summary.json')))
broken = [{**lines[0], 'loss': 'x'}, {'event': 'step'}, {**lines[0], 'event': 'other'}]
print(json.dumps([len(lines), sum(metrics.is_valid(line) for line in broken)]))",
        &[schemas],
    );
    assert!(checked[0].as_u64().unwrap() > 4);
    assert_eq!(checked[1], 0);
}
