//! A mistyped name of any kind gets a suggestion, in the same form and before anything is made.

use crate::support::Place;

/// What is mistyped, the command line, and the suggestion.
const SLIPS: &[(&str, &[&str], &str)] = &[
    (
        "key",
        &["train", "--set", "optimizer.momentom=0.5"],
        "did you mean optimizer.momentum?",
    ),
    (
        "section",
        &["train", "--set", "optimiser.lr=1"],
        "did you mean optimizer?",
    ),
    (
        "method",
        &["train", "--set", "method.name=dtpr"],
        "did you mean `dtrp`?",
    ),
    (
        "method",
        &["schedule", "show", "--method", "spectrian"],
        "did you mean `spectrain`?",
    ),
    (
        "method",
        &["simulate", "--method", "pipedraem"],
        "did you mean `pipedream`?",
    ),
    (
        "order",
        &["train", "--set", "method.order=eagr"],
        "did you mean `eager`?",
    ),
    (
        "order",
        &["schedule", "show", "--order", "locksetp"],
        "did you mean `lockstep`?",
    ),
    (
        "model",
        &["train", "--set", "model={name: resnet-cifra}"],
        "did you mean `resnet-cifar`?",
    ),
    ("model", &["models", "show", "vg"], "did you mean `vgg`?"),
    (
        "model option",
        &["train", "--set", "model.widht=4"],
        "did you mean `width`?",
    ),
    (
        "model option",
        &["models", "show", "tiny", "--option", "dept=3"],
        "did you mean `depth`?",
    ),
    (
        "data set",
        &["train", "--set", "data.name=didgits"],
        "did you mean `digits`?",
    ),
    (
        "data set",
        &["data", "check", ".", "--name", "cifar01"],
        "did you mean `cifar10`?",
    ),
    ("data set", &["data", "fetch", "mnits"], "did you mean `mnist`?"),
    (
        "data option",
        &["train", "--set", "data={name: synthetic, clases: 3}"],
        "did you mean data.classes?",
    ),
    (
        "augmentation",
        &["train", "--set", "data.augment=flipp"],
        "did you mean `flip`?",
    ),
    (
        "head",
        &["train", "--set", "method={name: local, auxiliary: linear-pol}"],
        "did you mean `linear-pool`?",
    ),
    (
        "predictor",
        &["train", "--set", "method.predictor=momentun"],
        "did you mean `momentum`?",
    ),
    (
        "predictor",
        &["predictors", "show", "adpative"],
        "did you mean `adaptive`?",
    ),
    (
        "predictor option",
        &["train", "--set", "method.predictor={name: damped, options: {roh: 1}}"],
        "did you mean `rho`?",
    ),
    (
        "optimizer",
        &["train", "--set", "optimizer.name=adamv"],
        "did you mean `adam`?",
    ),
    (
        "rate schedule",
        &["train", "--set", "optimizer.schedule.name=cosin"],
        "did you mean `cosine`?",
    ),
    (
        "rate rule",
        &["train", "--set", "method.batch_compensation.rate=liner"],
        "did you mean `linear`?",
    ),
    (
        "element type",
        &["train", "--set", "run.dtype=f46"],
        "did you mean `f64`?",
    ),
    (
        "precision",
        &["train", "--set", "run.precision=bf61"],
        "did you mean `bf16`?",
    ),
    (
        "executor",
        &["train", "--set", "run.executor=thread"],
        "did you mean `threads`?",
    ),
    (
        "recording",
        &["train", "--set", "run.trace=timd"],
        "did you mean `timed`?",
    ),
    (
        "progress",
        &["train", "--set", "run.progress=plian"],
        "did you mean `plain`?",
    ),
    ("command", &["trian"], "'train'"),
];

#[test]
fn every_kind_of_name_gets_a_suggestion() {
    let place = Place::new();
    for (what, args, suggestion) in SLIPS {
        let ran = place.dtrp(args);
        assert!(ran.stderr.contains(suggestion), "{what}: {args:?}: {}", ran.stderr);
        assert!((2..=5).contains(&ran.code), "{what}: {args:?}: {}", ran.code);
        assert!(!place.file("runs").exists(), "{what}: {args:?}");
    }
}
