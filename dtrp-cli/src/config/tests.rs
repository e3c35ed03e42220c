//! From text to a configuration, or to an error that says where and what.

use super::*;
use serde_json::json;

fn sets(texts: &[&str]) -> Vec<Set> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn ok(text: &str, overrides: &[&str]) -> Config {
    Config::parse("x.yaml", text, &sets(overrides)).unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str, overrides: &[&str]) -> String {
    Config::parse("x.yaml", text, &sets(overrides)).unwrap_err().to_string()
}

#[test]
fn later_layers_win() {
    let text = "optimizer: {lr: 0.5, schedule: {gamma: 0.2}}\nrun:\n";
    let config = ok(text, &["optimizer.lr=0.25", "optimizer.lr=0.125", "run.max_steps=7"]);
    let dtrp_train::settings::OptimizerSettings {
        lr, momentum, schedule, ..
    } = config.settings.optimizer;
    assert_eq!((lr, momentum, schedule.gamma), (0.125, 0.9, 0.2));
    assert_eq!((config.settings.run.max_steps, config.settings.run.seed), (Some(7), 1));
    assert_eq!(
        ok("run: {max_steps: 3}", &["run.max_steps=null"])
            .settings
            .run
            .max_steps,
        None
    );
}

#[test]
fn an_empty_configuration_is_the_defaults() {
    assert_eq!(ok("", &[]), ok("run: {}\ndata:\n", &[]));
    assert_eq!(ok("", &[]).settings.data.augment, "crop:1");
    assert_eq!(ok("", &["data.augment=none"]).settings.data.augment, "none");
    assert_eq!(ok("", &["data.name=cifar10"]).settings.data.augment, "crop-flip");
}

#[test]
fn values_take_their_forms() {
    let config = ok(
        "",
        &[
            "method.cuts=[3, 7]",
            "method.modules=3",
            "run.device=[cpu, cuda:0, cuda:1]",
        ],
    );
    assert_eq!(config.settings.method.cuts, dtrp_train::Cuts::At(vec![3, 7]));
    assert_eq!(config.settings.run.device.names(), ["cpu", "cuda:0", "cuda:1"]);
    let config = ok("", &["method.predictor={name: damped, options: {rho: 0.5}}"]);
    assert_eq!(config.settings.method.predictor.0.options, json!({ "rho": 0.5 }));
    let config = ok(
        "",
        &["method.predictor={plugin: ./libmine.so, id: mine}", "optimizer.lr=1"],
    );
    assert_eq!(config.settings.method.predictor.0.name, "mine");
    let config = ok(
        "",
        &["optimizer.weight_decay=5e-4", "optimizer.schedule.milestones=[1, 2.5]"],
    );
    assert_eq!(config.settings.optimizer.weight_decay, 5e-4);
    assert_eq!(config.settings.optimizer.schedule.milestones, [1.0, 2.5]);
}

#[test]
fn a_models_options_are_its_own() {
    let config = ok("model: {name: resnet-cifar, depth: 8}", &["model.width=4"]);
    let options = &config.settings.model.options;
    assert_eq!(
        (&options["depth"], &options["width"], &options["shortcut"]),
        (&json!(8), &json!(4), &json!("A"))
    );
    assert!(!options.contains_key("name") && !options.contains_key("init_from"));
    // What the crate of models has to complain about is not known here.
    assert_eq!(
        ok("model: {name: nonesuch, deep: 1}", &[]).settings.model.options["deep"],
        1
    );
}

#[test]
fn a_data_sets_options_are_its_own() {
    let config = ok("data: {name: synthetic, classes: 3, shape: null}", &["data.seed=2"]);
    assert_eq!(
        Value::from(config.settings.data.options),
        json!({ "classes": 3, "seed": 2 })
    );
    // As configurations of earlier versions have them.
    assert!(
        ok("data: {name: digits, seed: 0, shape: null}", &[])
            .settings
            .data
            .options
            .is_empty()
    );
    assert_eq!(
        ok("data: {name: digits, seed: 1}", &[]).settings.data.options["seed"],
        1
    );
    let slip = error("data: {clases: 3}", &[]);
    assert!(slip.contains("did you mean data.classes?"), "{slip}");
}

#[test]
fn options_of_another_family_do_not_come_along() {
    let file = "model: {name: resnet-cifar, depth: 8, shortcut: B}";
    let vgg = ok(file, &["model.name=vgg"]).settings.model.options;
    assert_eq!((&vgg["depth"], vgg.get("shortcut")), (&json!(16), None));
    let set = ok(file, &["model.name=vgg", "model.depth=11"]).settings.model.options;
    assert_eq!(set["depth"], 11);
    // The same family keeps them.
    assert_eq!(
        ok(file, &["model.name=resnet-cifar"]).settings.model.options["depth"],
        8
    );
}

#[test]
fn an_order_in_the_file_gives_way_to_another_method() {
    let order = |text: &str, set: &str| ok(text, &[set]).settings.method.order.unwrap().name();
    let file = "method: {name: dtrp, order: lockstep}";
    assert_eq!(order(file, "method.name=spectrain"), "eager");
    assert_eq!(order(file, "method.name=dsp"), "lockstep");
    // Nobody chose another method, or somebody chose both: then it is wrong, and said to be so later.
    let wrong = "method: {name: spectrain, order: lockstep}";
    assert_eq!(order(wrong, "run.seed=2"), "lockstep");
    let both = ["method.name=spectrain", "method.order=lockstep"];
    assert_eq!(ok(file, &both).settings.method.order.unwrap().name(), "lockstep");
    let misspelt = error("method: {order: eagr}", &["method.name=bp"]);
    assert!(
        misspelt.contains("method.order") && misspelt.contains("did you mean `eager`"),
        "{misspelt}"
    );
}

#[test]
fn the_resolved_configuration_reads_back_as_itself() {
    for text in [
        DIGITS.text,
        BENCH.text,
        "method: {predictor: {plugin: a.so}, cuts: [1]}",
    ] {
        let config = ok(text, &[]);
        let yaml = config.to_yaml().unwrap();
        assert_eq!(ok(&yaml, &[]), config, "{yaml}");
    }
}

#[test]
fn the_digits_are_the_defaults() {
    let given = yaml::parse(DIGITS.text).unwrap();
    let defaults = Config::default().tree();
    fn keys(tree: &Value, path: &str, all: &mut Vec<String>) {
        for (key, value) in tree.as_object().into_iter().flatten() {
            all.push(format!("{path}{key}"));
            keys(value, &format!("{path}{key}."), all);
        }
    }
    let (mut documented, mut existing) = (Vec::new(), Vec::new());
    keys(&given, "", &mut documented);
    keys(&defaults, "", &mut existing);
    let missing: Vec<_> = existing.iter().filter(|key| !documented.contains(key)).collect();
    assert!(missing.is_empty(), "configs/digits.yaml does not explain {missing:?}");
    let (shipped, empty) = (ok(DIGITS.text, &[]), ok("", &[]));
    assert_eq!(
        shipped, empty,
        "configs/digits.yaml must agree with the defaults in the code"
    );
}

#[test]
fn unknown_keys_name_the_nearest() {
    for (text, says) in [
        (
            "optimizer: {momentom: 0.9}",
            "x.yaml: unknown key optimizer.momentom; did you mean optimizer.momentum?",
        ),
        (
            "optimiser: {lr: 1}",
            "x.yaml: unknown key optimiser; did you mean optimizer?",
        ),
        ("lr: 0.1", "x.yaml: unknown key lr; did you mean optimizer.lr?"),
        (
            "run: {batch_size: 3}",
            "x.yaml: unknown key run.batch_size; did you mean data.batch_size?",
        ),
        (
            "optimizer: {schedule: {nam: cosine}}",
            "x.yaml: unknown key optimizer.schedule.nam; did you mean optimizer.schedule.name?",
        ),
        (
            "xyzzy: 1",
            "x.yaml: unknown key xyzzy; the keys here are run, data, model, method, optimizer, checkpoint, logging",
        ),
    ] {
        assert_eq!(error(text, &[]), says);
    }
    assert_eq!(
        error("", &["run.epoch=3"]),
        "--set run.epoch=3: unknown key run.epoch; did you mean run.epochs?"
    );
}

#[test]
fn wrong_values_name_place_and_expectation() {
    for (text, says) in [
        (
            "optimizer: {lr: fast}",
            "x.yaml: optimizer.lr is `fast`, but must be a number",
        ),
        (
            "optimizer: {lr: -1}",
            "x.yaml: optimizer.lr is -1, but must be a finite number from 0",
        ),
        (
            "optimizer: {lr: .nan}",
            "x.yaml: optimizer.lr: .nan is not a finite number",
        ),
        (
            "run: {epochs: 1.5}",
            "x.yaml: run.epochs is 1.5, but must be a whole number from 0",
        ),
        (
            "run: {epochs: -1}",
            "x.yaml: run.epochs is -1, but must be a whole number from 0",
        ),
        ("run: {epochs: 0}", "x.yaml: run.epochs is 0, but must be at least 1"),
        ("run: 7", "x.yaml: run is 7, but must be a section of keys and values"),
        (
            "run: [3, 4]",
            "x.yaml: run is [3,4], but must be a section of keys and values",
        ),
        (
            "run: {dtype: f16}",
            "x.yaml: run.dtype: unknown element type `f16`; the element types are f32, f64",
        ),
        (
            "run: {precision: f16}",
            "x.yaml: run.precision: unknown precision `f16` (did you mean `bf16`?); the precisions are f32, tf32, bf16",
        ),
        (
            "run: {precision: bf16, dtype: f64}",
            "x.yaml: run.precision is bf16, but must be f32 where run.dtype is f64: it says how f32 numbers are multiplied",
        ),
        (
            "run: {precision: tf32}",
            "x.yaml: run.precision is tf32, but must be f32 or bf16 on a CPU: tf32 is a number format of GPUs",
        ),
        (
            "run: {progress: no}",
            "x.yaml: run.progress: unknown progress mode `no`; the progress modes are auto, bar, plain, none",
        ),
        (
            "data: {shuffle: maybe}",
            "x.yaml: data.shuffle is `maybe`, but must be true or false",
        ),
        (
            "data: {shape: [3, 32]}",
            "x.yaml: data.shape is [3,32], but must be [channels, height, width], such as [3, 32, 32]",
        ),
        (
            "method: {cuts: odd}",
            "x.yaml: method.cuts is `odd`, but must be `even`, `auto`, or a list",
        ),
        (
            "method: {cuts: auto, memory_budget: 2 apples}",
            "x.yaml: method.memory_budget is `2 apples`, but must be a number of bytes",
        ),
        (
            "method: {cuts: auto, memory_budget: 0.4 B}",
            "x.yaml: method.memory_budget is `0.4 B`, but must be a number of bytes",
        ),
        (
            "method: {memory_budget: 2 GB}",
            "x.yaml: method.memory_budget is 2000000000, but must be null unless method.cuts or method.recompute is auto or method.batch_compensation.fill",
        ),
        (
            "method: {name: fdg, batch_compensation: {fill: true}}",
            "x.yaml: method.batch_compensation.fill is true, but must be false unless method.name is dtrp",
        ),
        (
            "method: {cuts: [4], batch_compensation: {balance: true}}",
            "x.yaml: method.batch_compensation.balance is true, but must be false where method.cuts is a list",
        ),
        (
            "method: {costs: costs.yaml}",
            "x.yaml: method.costs is costs.yaml, but must be null unless method.cuts or method.recompute is auto",
        ),
        (
            "method: {predictor: 3}",
            "x.yaml: method.predictor is 3, but must be a name",
        ),
        (
            "model: {init_from: 3}",
            "x.yaml: model.init_from is 3, but must be a path",
        ),
        (
            "run: {device: [cpu, cpu, cpu]}",
            "x.yaml: run.device is [cpu, cpu, cpu], but must be one device, or one for each of the 2 modules",
        ),
        (
            "run: {name: a/b}",
            "x.yaml: run.name is a/b, but must be a name for a folder",
        ),
        (
            "optimizer: {momentum: 1}",
            "x.yaml: optimizer.momentum is 1, but must be from 0 to below 1",
        ),
        (
            "optimizer: {schedule: {milestones: [3, 2]}}",
            "x.yaml: optimizer.schedule.milestones is [3.0, 2.0], but must be ascending",
        ),
        (
            "[1, 2]",
            "x.yaml: the whole configuration is [1,2], but must be sections",
        ),
        ("run: {a: 1, a: 2}", "x.yaml: run: duplicate entry with key \"a\""),
        ("run: [", "x.yaml: "),
    ] {
        let error = error(text, &[]);
        assert!(error.starts_with(says), "{error}\nwanted: {says}");
    }
    let text = "optimizer: {lr: 0.1}";
    assert_eq!(
        error(text, &["optimizer.lr=x"]),
        "--set optimizer.lr=x: optimizer.lr is `x`, but must be a number"
    );
    let inside = error(text, &["optimizer.lr.x=1"]);
    assert!(
        inside.contains("optimizer.lr is 0.1, but must be a section"),
        "{inside}"
    );
}

#[test]
fn settings_must_be_paths_with_values() {
    for text in ["run.epochs", "=3", "run..x=1", "run.=1", "a=[1"] {
        assert!(text.parse::<Set>().is_err(), "{text}");
    }
}

#[test]
fn the_usual_order_is_the_one_that_is_less_stale() {
    let order = |sets: &[&str]| ok("", sets).settings.method.order.unwrap().name();
    assert_eq!(order(&[]), "lockstep");
    assert_eq!(order(&["method.modules=3"]), "eager");
    assert_eq!(order(&["method.modules=3", "method.order=lockstep"]), "lockstep");
    // Methods with one order have that.
    assert_eq!(order(&["method.modules=3", "method.name=fdg"]), "lockstep");
}
