//! What a run's folder is called where nobody says: what is trained, and what was set on the command line.
//!
//! ```text
//! digits-resnet-cifar-dtrp-k2                     data, model, method, number of modules
//! digits-resnet-cifar-dtrp-k2-lr0.05-order-eager  with --set optimizer.lr=0.05 --set method.order=eager
//! ```
//!
//! So a sweep in a shell loop has a folder for each of its runs. Keys that the name has anyway, and keys with which a run
//! computes the same, are left out.

use super::merge::Set;
use dtrp_train::Settings;
use serde_json::Value;

/// Keys that are not in the name.
const LEFT_OUT: [&str; 22] = [
    "run.name",
    "run.dir",
    "run.progress",
    "run.log_every",
    "run.trace",
    "run.executor",
    "run.device",
    "run.threads_per_worker",
    "run.watchdog_seconds",
    "data.name",
    "data.dir",
    "data.threads",
    "data.prefetch",
    "model.name",
    "method.costs",
    "checkpoint.every_epochs",
    "checkpoint.every_steps",
    "checkpoint.every_minutes",
    "checkpoint.keep_last",
    "checkpoint.keep_best",
    "logging.csv",
    "logging.tensorboard",
];

/// Of these the beginning of the name tells the value.
const TOLD: [&str; 2] = ["method.name", "method.modules"];

/// Longer names are cut, and end in a number that stands for the rest.
const LONGEST: usize = 120;

/// The name.
pub(super) fn default_name(settings: &Settings, sets: &[Set]) -> String {
    let Settings {
        data, model, method, ..
    } = settings;
    let mut parts = vec![format!(
        "{}-{}-{}-k{}",
        data.name, model.name, method.name, method.modules
    )];
    parts.extend(changes(sets).iter().map(|(path, value)| part(path, value)));
    short(plain(&parts.join("-")))
}

/// The keys that were set and their values, the last of several for one key.
fn changes(sets: &[Set]) -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = Vec::new();
    for set in sets {
        all.retain(|(path, _)| !set.concerns(path));
        leaves(set.path(), set.value(), &mut all);
    }
    all.retain(|(path, _)| !LEFT_OUT.contains(&path.as_str()) && !TOLD.contains(&path.as_str()));
    all
}

fn leaves(path: &str, value: &Value, all: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(section) => {
            for (key, value) in section {
                leaves(&format!("{path}.{key}"), value, all);
            }
        }
        value => all.push((path.to_owned(), value.clone())),
    }
}

/// `lr0.05`, `order-eager`; of a key `name` the value alone.
fn part(path: &str, value: &Value) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    let value = text(value);
    match key {
        "name" => value,
        _ if value.starts_with(|c: char| c.is_ascii_digit()) => format!("{key}{value}"),
        _ => format!("{key}-{value}"),
    }
}

fn text(value: &Value) -> String {
    match value {
        // Of a path what it leads to.
        Value::String(text) => text.rsplit('/').next().unwrap_or(text).to_owned(),
        // Items of lists are names, not paths.
        Value::Array(items) => {
            let item = |item: &Value| item.as_str().map_or_else(|| text(item), str::to_owned);
            items.iter().map(item).collect::<Vec<_>>().join("-")
        }
        other => other.to_string(),
    }
}

/// Characters that neither a shell nor a file system minds.
fn plain(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = if c.is_alphanumeric() || "._+-".contains(c) {
            c
        } else {
            '-'
        };
        if c != '-' || !name.ends_with('-') {
            name.push(c);
        }
    }
    name.trim_matches(['-', '.']).to_owned()
}

fn short(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    // FNV-1a: the same on every machine and in every version.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let end = (0..=LONGEST - 9).rev().find(|end| name.is_char_boundary(*end));
    let start = name[..end.unwrap_or(0)].trim_end_matches(['-', '.']);
    format!("{start}-{:08x}", hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(sets: &[&str]) -> String {
        let sets: Vec<Set> = sets.iter().map(|set| set.parse().unwrap()).collect();
        default_name(&Settings::default(), &sets)
    }

    #[test]
    fn what_was_set_is_in_the_name() {
        let base = "digits-resnet-cifar-dtrp-k2";
        for (sets, end) in [
            (&[][..], ""),
            (&["optimizer.lr=0.001"], "-lr0.001"),
            (&["optimizer.lr=1e-3"], "-lr0.001"),
            (&["optimizer.lr=1", "run.seed=7", "optimizer.lr=0.5"], "-seed7-lr0.5"),
            (&["method.order=eager", "optimizer.name=adam"], "-order-eager-adam"),
            (&["method.cuts=[3, 6]"], "-cuts3-6"),
            (&["method.cuts=[layer1.0/conv2]"], "-cuts-layer1.0-conv2"),
            (
                &["method.spike=true", "run.max_steps=null"],
                "-spike-true-max_steps-null",
            ),
            (&["model={name: resnet-cifar, depth: 8}"], "-depth8"),
            (
                &["method.predictor={name: damped, options: {rho: 0.5}}"],
                "-damped-rho0.5",
            ),
            (&["model.init_from=a/b c.safetensors"], "-init_from-b-c.safetensors"),
            // Set anew as a whole.
            (
                &["optimizer.schedule.gamma=3", "optimizer.schedule={name: constant}"],
                "-constant",
            ),
            // Nothing of the training.
            (
                &[
                    "run.dir=x",
                    "run.name=null",
                    "run.progress=none",
                    "run.log_every=1",
                    "data.dir=y",
                    "logging.csv=true",
                    "logging={tensorboard: true}",
                ],
                "",
            ),
            (&["method.modules=2", "method.name=dtrp", "run.executor=sequential"], ""),
        ] {
            assert_eq!(name(sets), format!("{base}{end}"), "{sets:?}");
        }
    }

    #[test]
    fn names_are_short_and_valid() {
        let long = |end: &str| name(&[&format!("data.augment={}{end}", "crop:4,flip,".repeat(30))]);
        let (a, b) = (long("a"), long("b"));
        assert!(a.len() <= LONGEST && a != b && a[..90] == b[..90], "{a}\n{b}");
        assert_eq!(
            name(&[r#"data.augment="../\e[31m x\ny""#]),
            "digits-resnet-cifar-dtrp-k2-augment-31m-x-y"
        );
    }
}
