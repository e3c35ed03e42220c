//! Every key of the configuration either changes what a run does, or the run says that it has no effect; never both, never
//! neither. Found out by training: for each method, optimizer and schedule, once as they are and once with the key changed.

use crate::support::settings;
use dtrp_train::schedule::{Action, Method};
use dtrp_train::{Event, Trainer, Training};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tch::Kind;

type Changes = Vec<(&'static str, Value)>;

/// Keys with values that differ from those of [`base`].
fn varied() -> Changes {
    vec![
        ("run.seed", json!(2)),
        ("run.epochs", json!(3)),
        ("run.max_steps", json!(4)),
        ("run.dtype", json!("f64")),
        ("run.precision", json!("bf16")),
        ("data.batch_size", json!(12)),
        ("data.shuffle", json!(false)),
        ("data.augment", json!("none")),
        ("data.limit", json!(40)),
        ("data.test_limit", json!(12)),
        ("data.drop_last", json!(true)),
        ("model.depth", json!(5)),
        ("model.width", json!(3)),
        ("method.modules", json!(2)),
        ("method.order", json!("lockstep")),
        ("method.predictor", json!("difference")),
        ("method.cuts", json!([1, 2])),
        ("method.recompute", json!("none")),
        ("method.micro_batches", json!(2)),
        ("method.accumulate", json!(2)),
        ("method.gradient_shrink", json!(0.5)),
        ("method.lr_shrink", json!(0.5)),
        ("method.spike", json!(true)),
        ("method.rescale_epochs", json!(1.0)),
        ("method.auxiliary", json!("conv")),
        ("optimizer.name", json!("adamw")),
        ("optimizer.lr", json!(0.03)),
        ("optimizer.momentum", json!(0.5)),
        ("optimizer.nesterov", json!(true)),
        ("optimizer.betas", json!([0.8, 0.99])),
        ("optimizer.epsilon", json!(0.01)),
        ("optimizer.weight_decay", json!(0.0)),
        ("optimizer.decay_bias_and_norm", json!(false)),
        ("optimizer.label_smoothing", json!(0.1)),
        ("optimizer.schedule.name", json!("constant")),
        ("optimizer.schedule.milestones", json!([1.5])),
        ("optimizer.schedule.gamma", json!(0.3)),
        ("optimizer.schedule.final_lr", json!(0.01)),
        ("optimizer.schedule.warmup_epochs", json!(1.4)),
        ("optimizer.schedule.warmup_from", json!(0.5)),
    ]
}

/// Keys that say how a run goes, not what it computes, or that need more than a small run; and where they are tested.
const OTHERWISE: &[(&str, &str)] = &[
    ("run.name", "the folder: dtrp-cli"),
    ("run.dir", "the folder: dtrp-cli"),
    ("run.channels_last", "order in memory: dtrp-models/tests/gpu"),
    ("run.device", "where: dtrp-models/tests/gpu"),
    ("run.threads_per_worker", "the same result: determinism"),
    ("run.executor", "the same result: dtrp-models/tests/training/methods.rs"),
    ("run.watchdog_seconds", "when to give up: dtrp-core/tests/failures.rs"),
    ("run.trace", "what is written: dtrp-cli"),
    ("run.log_every", "what is written: dtrp-cli"),
    ("run.progress", "what is shown: dtrp-cli"),
    ("data.name", "another set, with options of its own: dtrp-data"),
    (
        "data.dir",
        "of sets that are made of files, refused by others: dtrp-data",
    ),
    ("data.threads", "the same batches: dtrp-data/tests/suite/loading.rs"),
    ("data.prefetch", "the same batches; told with data.threads: 0"),
    ("data.shape", "an option of some sets, refused by others: dtrp-data"),
    ("data.resize", "an option of some sets, refused by others: dtrp-data"),
    ("data.classes", "an option of some sets, refused by others: dtrp-data"),
    (
        "data.train_samples",
        "an option of some sets, refused by others: dtrp-data",
    ),
    (
        "data.test_samples",
        "an option of some sets, refused by others: dtrp-data",
    ),
    ("data.seed", "an option of some sets, refused by others: dtrp-data"),
    ("model.name", "another network, with options of its own: dtrp-models"),
    (
        "model.shortcut",
        "an option of some families, refused by others: dtrp-models",
    ),
    ("model.init_from", "weights.rs"),
    ("model.init_sha256", "weights.rs; refused without init_from"),
    ("model.fresh", "weights.rs"),
    ("method.name", "each is a base below"),
    ("logging.csv", "what is written: dtrp-cli"),
    ("logging.tensorboard", "what is written: dtrp-cli"),
    ("checkpoint.every_epochs", "when its state is kept: checkpoints.rs"),
    ("checkpoint.every_steps", "when its state is kept: checkpoints.rs"),
    ("checkpoint.every_minutes", "when its state is kept: checkpoints.rs"),
    ("checkpoint.keep_last", "how often its state is kept: checkpoints.rs"),
    ("checkpoint.keep_best", "how often its state is kept: checkpoints.rs"),
    (
        "method.costs",
        "with cuts: auto, else refused: dtrp-cli/tests/suite/cuts.rs",
    ),
    (
        "method.memory_budget",
        "with cuts: auto or fill, else refused: dtrp-cli/tests/suite/cuts.rs",
    ),
    ("method.batch_compensation.balance", "dtrp-cli/tests/suite/cuts.rs"),
    ("method.batch_compensation.fill", "dtrp-cli/tests/suite/cuts.rs"),
    ("method.batch_compensation.rate", "told without fill"),
    ("method.program", "dtrp-cli/tests/suite/results.rs"),
    (
        "method.probe_every",
        "what is measured; told where nothing is predicted",
    ),
];

/// The keys of the file that says what there is.
fn keys_of(yaml: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut path: Vec<&str> = Vec::new();
    for line in yaml.lines() {
        let code = line.split('#').next().unwrap_or("");
        let Some((key, value)) = code.trim().split_once(':') else {
            continue;
        };
        path.truncate((code.len() - code.trim_start().len()) / 2);
        path.push(key);
        if !value.trim().is_empty() {
            keys.insert(path.join("."));
        }
    }
    keys
}

#[test]
fn every_key_is_looked_at() {
    let keys = keys_of(include_str!("../../../configs/digits.yaml"));
    assert!(keys.len() > 60, "{keys:?}");
    let varied = varied();
    let looked_at = varied
        .iter()
        .map(|(key, _)| *key)
        .chain(OTHERWISE.iter().map(|(key, _)| *key));
    let looked_at: BTreeSet<String> = looked_at.map(str::to_owned).collect();
    assert_eq!(keys, looked_at);
}

/// A run of two epochs of six batches, so that the pipeline fills; the last batch is smaller.
fn base(method: &str, modules: usize, optimizer: &str, schedule: &str, warmup: f64) -> Changes {
    let lr = if optimizer == "sgd" { 0.1 } else { 0.01 };
    vec![
        ("run.executor", json!("sequential")),
        ("data.limit", json!(44)),
        ("data.batch_size", json!(8)),
        ("model.depth", json!(4)),
        (
            "method",
            json!({"name": method, "modules": modules, "auxiliary": "linear-pool"}),
        ),
        (
            "optimizer",
            json!({
                "name": optimizer,
                "lr": lr,
                "weight_decay": 0.05,
                "schedule": {"name": schedule, "milestones": [1.0], "gamma": 0.5, "warmup_epochs": warmup},
            }),
        ),
    ]
}

/// Everything that a run does: its program, its cuts, its rates, its losses, and what came of it.
fn does(mut trainer: Trainer) -> String {
    let steps = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&steps);
    trainer.on_event(move |event| match event {
        Event::Step(step) => told
            .lock()
            .unwrap()
            .push_str(&format!("{} {} {}\n", step.step, step.loss, step.lr)),
        Event::Evaluated(step, found) => told.lock().unwrap().push_str(&format!("{step} {found:?}\n")),
        _ => {}
    });
    let program = trainer.program(trainer.length().batches_per_epoch).unwrap();
    // What the workers do, not what that is called.
    let worker = |actions: &Vec<_>| actions.iter().map(Action::to_string).collect::<Vec<_>>();
    let workers: Vec<_> = program.workers.iter().map(worker).collect();
    let plan = format!("{workers:?}{:?}{:?}", trainer.ranges(), trainer.length());
    trainer.fit().unwrap();
    let mut weights = String::new();
    for (name, tensor) in trainer.snapshot().unwrap().tensors() {
        let values = Vec::<f64>::try_from(tensor.to_kind(Kind::Double).flatten(0, -1)).unwrap();
        weights.push_str(&format!("{name} {values:?}\n"));
    }
    format!("{plan}{}{weights}", steps.lock().unwrap())
}

fn trainer(changes: &[(&'static str, Value)]) -> Option<Trainer> {
    Training::from_settings(settings(changes))
        .and_then(Training::build)
        .ok()
}

/// Changes each key of a base, and compares what it does with what it says. Returns the keys that changed something.
fn check(what: &str, base: &Changes, keys: impl Fn(&str) -> bool) -> BTreeSet<&'static str> {
    let plain = trainer(base).unwrap_or_else(|| panic!("{what} cannot be trained"));
    let settings = plain.settings().clone();
    let plain = does(plain);
    let mut used = BTreeSet::new();
    for (key, value) in varied().into_iter().filter(|(key, _)| keys(key)) {
        let mut changes = base.clone();
        changes.push((key, value.clone()));
        // What makes no sense is refused, which is a way of saying so.
        let Some(trainer) = trainer(&changes) else { continue };
        // The value that it has anyway.
        if *trainer.settings() == settings {
            continue;
        }
        let told = trainer
            .unused()
            .iter()
            .any(|unused| unused.key == key && !unused.partly);
        let changed = does(trainer) != plain;
        assert!(
            changed != told,
            "{what}, {key}: {value}: told {told}, changes something {changed}"
        );
        if changed {
            used.insert(key);
        }
    }
    used
}

fn of_optimizer(key: &str) -> bool {
    key.starts_with("optimizer.")
}

/// For each of these keys there is a run in which it has an effect.
fn all(keys: impl Fn(&str) -> bool) -> BTreeSet<&'static str> {
    let varied = varied().into_iter().map(|(key, _)| key);
    varied.filter(|key| keys(key)).collect()
}

#[test]
fn what_has_no_effect_is_told_and_what_has_one_is_not_for_every_method() {
    let mut used = BTreeSet::new();
    for method in Method::all() {
        // With one module all methods do the same.
        let alone = ["bp", "dtrp", "fdg"].contains(&method.name);
        for modules in if alone { vec![1, 3] } else { vec![3] } {
            let base = base(method.name, modules, "sgd", "cosine", 0.0);
            let what = format!("{} on {modules}", method.name);
            used.extend(check(&what, &base, |key| !of_optimizer(key)));
        }
    }
    assert_eq!(used, all(|key| !of_optimizer(key)));
}

#[test]
fn what_has_no_effect_is_told_and_what_has_one_is_not_for_every_optimizer_and_schedule() {
    let mut used = BTreeSet::new();
    let concerned = |key: &str| of_optimizer(key) || ["method.spike", "method.predictor"].contains(&key);
    for (optimizer, schedule, warmup) in [
        ("sgd", "constant", 0.0),
        ("sgd", "multi-step", 0.0),
        ("sgd", "cosine", 0.0),
        ("sgd", "multi-step", 0.7),
        ("sgd", "cosine", 0.7),
        ("sgd", "multi-step", 2.0),
        ("adam", "constant", 0.7),
        ("adam", "multi-step", 0.0),
        ("adamw", "cosine", 0.7),
    ] {
        let base = base("dtrp", 3, optimizer, schedule, warmup);
        let what = format!("{optimizer}, {schedule}, warm-up {warmup}");
        used.extend(check(&what, &base, concerned));
    }
    assert_eq!(used, all(concerned));
}
