//! What a run computes and writes.

use crate::support::{Place, TINY};
use serde_json::Value;

#[test]
fn executors_give_the_same_bits() {
    let place = Place::new();
    for (name, sets) in [
        ("dtrp", &["method.modules=3"][..]),
        (
            "eager",
            &[
                "method.modules=3",
                "method.order=eager",
                "method.micro_batches=2",
                "run.dtype=f64",
            ],
        ),
        ("bp", &["method.name=bp", "method.modules=2"]),
    ] {
        let [threads, sequential] = ["threads", "sequential"].map(|executor| {
            let (name, executor) = (format!("{name}-{executor}"), format!("run.executor={executor}"));
            place.tiny(&name, &[sets, &[executor.as_str()]].concat());
            (place.weights(&name), place.events(&name, "step"))
        });
        assert!(threads.0 == sequential.0, "{name}: other weights");
        for (a, b) in threads.1.iter().zip(&sequential.1) {
            assert_eq!(a["loss"], b["loss"], "{name}");
        }
    }
}

#[test]
fn one_module_of_dtrp_is_bp() {
    let place = Place::new();
    place.tiny("dtrp", &["method.modules=1"]);
    place.tiny("bp", &["method.modules=1", "method.name=bp"]);
    place.tiny("bp3", &["method.modules=3", "method.name=bp"]);
    assert!(place.weights("dtrp") == place.weights("bp"));
    assert!(place.weights("bp3") == place.weights("bp"));
}

#[test]
fn seeds_and_data_options_matter_and_nothing_else() {
    let place = Place::new();
    place.tiny("a", &[]);
    place.tiny("again", &["data.threads=0", "run.log_every=3", "run.progress=none"]);
    assert!(place.weights("a") == place.weights("again"));
    for (name, set) in [
        ("seed", "run.seed=2"),
        ("order", "data.shuffle=false"),
        ("augment", "data.augment=none"),
    ] {
        place.tiny(name, &[set]);
        assert!(place.weights("a") != place.weights(name), "{set} changed nothing");
    }
}

#[test]
fn the_number_of_steps_is_respected() {
    let place = Place::new();
    // 160 samples in batches of 32 are 5 steps an epoch.
    for (max_steps, epochs, expected) in [
        ("7", "3", 7),
        ("5", "3", 5),
        ("1", "1", 1),
        ("null", "2", 10),
        ("99", "1", 5),
    ] {
        let sets = [format!("run.max_steps={max_steps}"), format!("run.epochs={epochs}")];
        place.tiny("a", &[&sets[0], &sets[1]]);
        let summary = place.summary("a");
        assert_eq!(summary["steps"], expected);
        assert_eq!(summary["workers"][0]["updates"], expected);
        let steps: Vec<_> = place
            .events("a", "step")
            .iter()
            .map(|e| e["step"].as_u64().unwrap())
            .collect();
        assert_eq!(steps, (1..=expected as u64).collect::<Vec<_>>());
    }
}

#[test]
fn the_files_hold_what_they_should() {
    let place = Place::new();
    place.tiny("a", &["run.max_steps=8"]);
    let number = |object: &Value, key: &str| {
        object[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} is {}", object[key]))
    };
    let summary = place.summary("a");
    for key in ["final_test_accuracy", "best_test_accuracy", "loader_wait_share"] {
        assert!((0.0..=1.0).contains(&number(&summary, key)), "{key}");
    }
    for key in [
        "final_train_loss",
        "images_per_second",
        "wall_seconds",
        "peak_rss_bytes",
    ] {
        assert!(number(&summary, key) > 0.0, "{key}");
    }
    for (key, value) in [
        ("method", Value::from("dtrp")),
        ("order", "lockstep".into()),
        ("modules", 2.into()),
        ("epochs", 2.into()),
        ("steps", 8.into()),
        ("interrupted", false.into()),
        ("dtrp_version", env!("CARGO_PKG_VERSION").into()),
    ] {
        assert_eq!(summary[key], value, "{key}");
    }
    let workers = summary["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 2);
    for worker in workers {
        assert!((0.0..=1.0).contains(&number(worker, "busy_share")));
        assert!(worker["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty()));
    }
    let parameters: u64 = workers.iter().map(|w| w["parameters"].as_u64().unwrap()).sum();
    assert_eq!(summary["parameters"], parameters);
    // Two inputs of 32 images of 1 x 8 x 8 numbers of 4 bytes.
    assert_eq!(workers[0]["stored_input_peak_bytes"], 2 * 32 * 64 * 4);
    assert_eq!(
        (&workers[0]["staleness_max"], &workers[1]["staleness_max"]),
        (&1.into(), &0.into())
    );
    assert!(number(&workers[0], "prediction_gain") > 0.0);
    assert!(workers[1]["prediction_gain"].is_null());

    let steps = place.events("a", "step");
    for key in ["step", "epoch", "loss", "lr", "seconds"] {
        assert!(steps.iter().all(|event| event[key].is_number()), "{key}");
    }
    let epochs = place.events("a", "epoch");
    assert_eq!(epochs.len(), 2);
    for key in [
        "epoch",
        "step",
        "train_loss",
        "test_loss",
        "test_accuracy",
        "images_per_second",
        "seconds",
    ] {
        assert!(epochs.iter().all(|event| event[key].is_number()), "{key}");
    }
    assert_eq!(epochs[1]["test_accuracy"], summary["final_test_accuracy"]);
    let second: Vec<f64> = steps[5..].iter().map(|event| event["loss"].as_f64().unwrap()).collect();
    let mean = second.iter().sum::<f64>() / second.len() as f64;
    assert!((mean - number(&epochs[1], "train_loss")).abs() < 1e-12);

    assert_eq!(place.read("a/schedule.txt"), place.read("a/trace.txt"));
    assert!(place.read("a/schedule.txt").contains("R1 B1 U1 F3+1"));
    let leftovers: Vec<_> = std::fs::read_dir(place.file("runs/a"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        leftovers.iter().all(|name| !name.to_string_lossy().ends_with(".part")),
        "{leftovers:?}"
    );
}

#[test]
fn the_resolved_configuration_repeats_the_run() {
    let place = Place::new();
    place.tiny("a", &["method.modules=3"]);
    let ran = place.dtrp(&["train", "--config", "runs/a/config.yaml", "--name", "b"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(place.weights("a") == place.weights("b"));
}

#[test]
fn weights_go_out_and_in() {
    let place = Place::new();
    place.tiny("a", &["run.dtype=f64"]);
    let sets = [
        "run.dtype=f64",
        "optimizer.lr=0",
        "method.modules=3",
        "model.init_from=runs/a/weights.safetensors",
    ];
    place.tiny("b", &sets);
    let header = |name: &str| -> Value {
        let bytes = place.weights(name);
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let metadata = header.as_object_mut().unwrap().remove("__metadata__");
        assert_eq!(metadata, Some(serde_json::json!({"format": "pt"})));
        header
    };
    let bytes_of = |name: &str, tensor: &str| {
        let (bytes, header) = (place.weights(name), header(name));
        let data = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let at = |index: usize| data + header[tensor]["data_offsets"][index].as_u64().unwrap() as usize;
        bytes[at(0)..at(1)].to_vec()
    };
    let (a, b) = (header("a"), header("b"));
    let names: Vec<&String> = a.as_object().unwrap().keys().collect();
    assert!(b.as_object().unwrap().keys().all(|name| names.contains(&name)));
    // With a learning rate of 0 the parameters come out as they went in, however the network is cut; statistics move.
    for name in names.into_iter().filter(|name| !name.contains("tracked")) {
        let same = bytes_of("a", name) == bytes_of("b", name);
        assert_eq!(same, !name.contains("running"), "{name}");
    }
    assert_eq!(a["bn1.num_batches_tracked"]["dtype"], "I64");
    assert_eq!(a["conv1.weight"]["shape"], serde_json::json!([4, 1, 3, 3]));

    // Another network's weights are refused, by name.
    let ran = place.train(&[TINY, &["model.depth=14", "model.init_from=runs/a/weights.safetensors"]].concat());
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("it lacks layer1.1."), "{}", ran.stderr);
    let ran = place.train(&[TINY, &["model.width=8", "model.init_from=runs/a/weights.safetensors"]].concat());
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("has shape [4, 1, 3, 3], but"), "{}", ran.stderr);
}

#[test]
fn training_learns() {
    let place = Place::new();
    let ran = place.train(&["model.depth=8", "run.max_steps=150", "run.name=a"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let accuracy = place.summary("a")["final_test_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
}

#[test]
fn bf16_learns_the_digits_with_weights_in_f32() {
    let place = Place::new();
    let ran = place.train(&["run.name=a", "run.precision=bf16", "run.epochs=8"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary = place.summary("a");
    let accuracy = summary["final_test_accuracy"].as_f64().unwrap();
    assert!(accuracy >= 0.95, "{accuracy}");
    assert_eq!(summary["workers"][0]["device"], "cpu");
    assert!(summary["gpus"].is_null() && summary["workers"][0]["host_reads"].is_null());
    let exact = place.train(&["run.name=b", "run.epochs=1"]);
    assert_eq!(exact.code, 0, "{}", exact.stderr);
    assert_eq!(place.weights("a").len(), place.weights("b").len());
}

#[test]
fn channels_last_weights_are_written_as_any_others() {
    let place = Place::new();
    for (name, set) in [
        ("images", "run.channels_last=null"),
        ("all", "run.channels_last=true"),
        ("none", "run.channels_last=false"),
    ] {
        place.tiny(name, &["run.dtype=f64", set]);
    }
    let loss = |name: &str| place.events(name, "epoch")[1]["train_loss"].as_f64().unwrap();
    for name in ["all", "none"] {
        let difference = (loss("images") - loss(name)).abs();
        assert!(difference < 1e-9, "{name}: {difference:e}");
        assert_eq!(place.weights(name).len(), place.weights("images").len());
    }
}

/// Three modules, each with a loss of its own, end where `docs/methods.md` says that they do.
#[test]
fn local_learning_reaches_what_is_documented() {
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/digits-resnet14-local-k3.yaml");
    let sets = ["run.epochs=12", "method.auxiliary=linear-pool", "run.name=a"];
    let mut args = vec!["train", "--config", file];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    let ran = place.dtrp(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary = place.summary("a");
    assert_eq!((&summary["method"], &summary["modules"]), (&"local".into(), &3.into()));
    let accuracy = summary["final_test_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.95, "{accuracy}");
}

/// Without threads making the batches is waiting for them; the share is that of the training time.
#[test]
fn waiting_for_data_is_told_from_work() {
    let place = Place::new();
    let share = |threads: &str| {
        let threads = format!("data.threads={threads}");
        // A network that costs next to nothing on images that cost much to make.
        let sets = [
            "data.name=synthetic",
            "data.shape=[3, 256, 256]",
            "data.train_samples=64",
            "data.test_samples=1",
            "data.batch_size=8",
            "model.depth=8",
            "model.width=1",
            "run.epochs=1",
            "run.name=a",
            &threads,
        ];
        let ran = place.train(&sets);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        place.summary("a")["loader_wait_share"].as_f64().unwrap()
    };
    let (alone, ahead) = (share("0"), share("2"));
    assert!(0.0 < alone && alone < 1.0, "{alone}");
    assert!((0.0..1.0).contains(&ahead), "{ahead}");
}

/// Whatever a run says of itself comes from what ran, not from what the configuration says beside it.
#[test]
fn a_program_from_a_file_is_named_everywhere() {
    let place = Place::new();
    let show = [
        "schedule",
        "show",
        "--method",
        "fdg",
        "--modules",
        "2",
        "--batches",
        "5",
        "--format",
        "text",
    ];
    std::fs::write(place.file("p.txt"), place.dtrp(&show).stdout).unwrap();
    let sets = [TINY, &["method.program=p.txt", "run.epochs=1"]].concat();
    let ran = place.train(&sets);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let folder = "digits-resnet-cifar-fdg-k2-depth8-width4-limit160-test_limit64-batch_size32-program-p.txt-epochs1";
    assert!(
        ran.stderr.contains(&format!("training into runs/{folder}")),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.starts_with("fdg (lockstep), 2 modules: "), "{}", ran.stdout);
    let summary = place.summary(folder);
    assert_eq!(
        (&summary["method"], &summary["order"]),
        (&"fdg".into(), &"lockstep".into())
    );
    assert_eq!(summary["predictor"], Value::Null);
    for file in ["schedule.txt", "trace.txt"] {
        let text = place.read(&format!("{folder}/{file}"));
        assert!(
            text.starts_with("fdg (lockstep), 2 modules, 5 batches"),
            "{file}: {text}"
        );
    }
    let config = place.read(&format!("{folder}/config.yaml"));
    assert!(
        config.contains("name: fdg") && config.contains("order: lockstep"),
        "{config}"
    );
    // Somebody who says that it is something else is told that this has no effect; the bits are the same.
    let ran = place.train(&[&sets[..], &["method.name=dsp", "run.name=told"]].concat());
    assert!(
        ran.stderr
            .contains("method.name has no effect: the program is one of fdg"),
        "{}",
        ran.stderr
    );
    assert!(place.weights(folder) == place.weights("told"));
}

#[test]
fn a_key_without_effect_is_told() {
    let place = Place::new();
    let told = |set: &str| place.train(&[TINY, &[set, "run.epochs=1"]].concat()).stderr;
    for (set, key) in [
        ("method.auxiliary=conv", "method.auxiliary"),
        // Set to what it is anyway, but set.
        ("method.auxiliary=mlp", "method.auxiliary"),
        ("optimizer.schedule.milestones=[1]", "optimizer.schedule.milestones"),
        (
            "optimizer.schedule={name: multi-step, milestones: [32000, 48000]}",
            "optimizer.schedule.milestones",
        ),
        ("optimizer.epsilon=1e-7", "optimizer.epsilon"),
        ("method.batch_compensation.rate=sqrt", "method.batch_compensation.rate"),
    ] {
        let stderr = told(set);
        assert!(
            stderr.contains(&format!("WARN {key} has no effect: ")),
            "{set}: {stderr}"
        );
    }
    // It has an effect, but not the one that it promises.
    let stderr = told("optimizer.schedule.warmup_epochs=100");
    let says = "WARN optimizer.schedule.warmup_epochs: the run ends after 1 epochs, before the warm-up";
    assert!(stderr.contains(says), "{stderr}");
    assert!(!told("optimizer.nesterov=true").contains("has no effect"));
    let stderr = place.train(&[TINY, &["run.max_steps=1"]].concat()).stderr;
    assert!(
        stderr.contains("WARN run.epochs has no effect: run.max_steps ends the run"),
        "{stderr}"
    );
}

/// `docs/runs.md` explains every field of the files that programs read.
#[test]
fn every_field_is_documented() {
    fn keys(value: &Value, all: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    all.insert(key.clone());
                    keys(value, all);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| keys(item, all)),
            _ => {}
        }
    }
    let place = Place::new();
    place.tiny(
        "a",
        &[
            "run.max_steps=6",
            "method.batch_compensation.fill=true",
            "method.memory_budget=1 GB",
        ],
    );
    let mut all = std::collections::BTreeSet::new();
    keys(&place.summary("a"), &mut all);
    for kind in ["step", "epoch"] {
        place.events("a", kind).iter().for_each(|event| keys(event, &mut all));
    }
    let page = include_str!("../../../docs/runs.md");
    for key in &all {
        assert!(
            page.contains(&format!("`{key}`")),
            "docs/runs.md does not explain `{key}`"
        );
    }
    assert!(all.len() > 40, "{all:?}");
    let summary = place.summary("a");
    assert_eq!((&summary["name"], &summary["seed"]), (&"a".into(), &1.into()));
    // Every file of a folder is in the table.
    for entry in std::fs::read_dir(place.file("runs/a")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let told = ["", "/"].iter().any(|end| page.contains(&format!("| `{name}{end}`")));
        assert!(told, "docs/runs.md has no {name}");
    }
}

#[test]
fn a_configuration_is_written_in_one_order() {
    let place = Place::new();
    let one = "model: {width: 4, name: resnet-cifar, depth: 8}\ndata: {classes: 3, shape: [1, 8, 8], name: synthetic}\n\
               method: {predictor: {options: {}, name: damped}, modules: 2}\nrun: {seed: 3, epochs: 1}\n";
    let other = "run: {epochs: 1, seed: 3}\nmethod: {modules: 2, predictor: {name: damped, options: {}}}\n\
                 data: {name: synthetic, shape: [1, 8, 8], classes: 3}\nmodel: {depth: 8, name: resnet-cifar, width: 4}\n";
    let shown: Vec<_> = [one, other]
        .into_iter()
        .map(|text| {
            std::fs::write(place.file("c.yaml"), text).unwrap();
            place.dtrp(&["config", "show", "--config", "c.yaml"]).stdout
        })
        .collect();
    assert!(shown[0].contains("width: 4"), "{}", shown[0]);
    assert_eq!(shown[0], shown[1]);
    let sets = ["model.width=4", "model.depth=8", "model.shortcut=B"];
    let of = |order: [usize; 3]| {
        let sets: Vec<_> = order.iter().flat_map(|index| ["--set", sets[*index]]).collect();
        let shown = place.dtrp(&[&["config", "show", "--set", "run.name=a"][..], &sets].concat());
        shown.stdout
    };
    assert_eq!(of([0, 1, 2]), of([2, 0, 1]));
}
