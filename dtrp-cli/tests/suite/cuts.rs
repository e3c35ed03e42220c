//! `method.cuts: auto`, and the costs that it follows from.

use crate::support::{Place, TINY};
use dtrp_core::costs::{BlockCost, Costs};

/// The stem, the residual blocks and the classifier of the tiny run's network, ResNet-8.
const BLOCKS: [&str; 5] = ["stem", "layer1.0", "layer2.0", "layer3.0", "head"];

/// Writes costs in which each block takes so many milliseconds forward, and as many backward.
fn write_costs(place: &Place, times: [u64; 5], names: [&str; 5], batch_size: u32) {
    let block = |(name, ms): (&str, u64)| BlockCost {
        name: name.to_owned(),
        forward_ns: ms * 1_000_000,
        backward_ns: ms * 1_000_000,
        input_bytes: 1000,
        activation_bytes: 1000,
        parameter_bytes: 1000,
        ..BlockCost::default()
    };
    let costs = Costs {
        batch_size: Some(batch_size),
        blocks: names.into_iter().zip(times).map(block).collect(),
    };
    // JSON is YAML.
    let text = serde_json::to_string(&costs).unwrap();
    std::fs::write(place.file("costs.yaml"), text).unwrap();
}

#[test]
fn measured_cuts_are_a_list_in_the_runs_configuration() {
    let place = Place::new();
    place.tiny("auto", &["method.modules=3", "method.cuts=auto"]);
    let config = place.read("auto/config.yaml");
    assert!(!config.contains("cuts: auto"), "{config}");
    for name in BLOCKS {
        assert!(place.read("auto/costs.yaml").contains(name));
    }
    let again = ["train", "--config", "runs/auto/config.yaml", "--name", "again"];
    assert_eq!(place.dtrp(&again).code, 0);
    assert!(place.weights("auto") == place.weights("again"));
    // The same costs lead to the same cuts.
    let costs = [
        "method.modules=3",
        "method.cuts=auto",
        "method.costs=runs/auto/costs.yaml",
    ];
    place.tiny("from-file", &costs);
    let cuts = |name: &str| {
        let workers = place.summary(name)["workers"].clone();
        workers
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w["blocks"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(cuts("from-file"), cuts("auto"));
}

/// One number of every block of the costs that a run has measured.
fn measured(place: &Place, run: &str, key: &str) -> Vec<u64> {
    let costs = place.read(&format!("{run}/costs.yaml"));
    let key = format!("{key}: ");
    let values = costs.lines().filter_map(|line| line.trim().strip_prefix(&key));
    values.map(|value| value.parse().unwrap()).collect()
}

#[test]
fn what_optimizers_keep_and_predictions_take_is_measured() {
    let place = Place::new();
    // The gradient; momentum, or two moments and the direction.
    for (name, copies, sets) in [
        ("plain", 1, &["optimizer.momentum=0"][..]),
        ("sgd", 2, &[]),
        ("adam", 4, &["optimizer.name=adam", "optimizer.lr=0.001"]),
    ] {
        place.tiny(name, &[sets, &["method.cuts=auto"]].concat());
        let parameters = measured(&place, name, "parameter_bytes");
        assert_eq!(parameters.len(), BLOCKS.len());
        let kept: Vec<u64> = parameters.iter().map(|bytes| copies * bytes).collect();
        assert_eq!(measured(&place, name, "optimizer_bytes"), kept, "{name}");
    }
    // The last block is the last module's, which is never late.
    let times = measured(&place, "sgd", "predict_ns");
    assert!(times[..4].iter().all(|ns| *ns > 0), "{times:?}");
    assert_eq!(times[4], 0);
}

#[test]
fn local_learning_is_measured_with_its_heads() {
    let place = Place::new();
    place.tiny("local", &["method.name=local", "method.cuts=auto"]);
    let heads = measured(&place, "local", "auxiliary_ns");
    // Noise may hide one of them; the last block has none.
    assert!(heads[..4].iter().filter(|ns| **ns > 0).count() >= 2, "{heads:?}");
}

#[test]
fn the_methods_own_work_decides() {
    let place = Place::new();
    write_costs(&place, [3, 3, 2, 2, 2], BLOCKS, 32);
    // Both passes of the lower module: cut above two blocks it costs 12, the upper one 12. With the third pass of `dtrp` it
    // would cost 18, so one block is better: 9 against 18 is as slow, and has the lesser sum of squares.
    for (method, below) in [("dtrp", 1), ("fdg", 2)] {
        let name = format!("method.name={method}");
        let sets = [&name, "method.cuts=auto", "method.costs=costs.yaml"];
        place.tiny(method, &sets);
        let summary = place.summary(method);
        let blocks = summary["workers"][0]["blocks"].as_array().unwrap();
        assert_eq!(blocks.len(), below, "{method}");
    }
}

#[test]
fn costs_and_budgets_that_do_not_fit() {
    let place = Place::new();
    let fails = |sets: &[&str], message: &str| {
        let ran = place.train(&[TINY, &["method.cuts=auto"], sets].concat());
        assert_eq!(ran.code, 5, "{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        assert!(!place.file("runs").exists());
    };
    write_costs(&place, [1; 5], BLOCKS, 64);
    let costs = "method.costs=costs.yaml";
    fails(&[costs], "they are for batches of 64, not of 32");
    let names = ["stem", "layer1.0", "layer2.0", "layer4.0", "head"];
    write_costs(&place, [1; 5], names, 32);
    fails(&[costs], "the block `layer3.0` of the network is `layer4.0` there");
    fails(&[costs, "model.depth=14"], "they have 5 blocks, the network has 8");
    write_costs(&place, [1; 5], BLOCKS, 32);
    fails(
        &[costs, "method.memory_budget=1 kB"],
        "2 modules cannot be made with 1000 bytes of memory a worker: the least that is enough is",
    );
    fails(
        &[costs, "method.modules=6"],
        "5 blocks and cannot be cut into 6 modules",
    );
    std::fs::write(place.file("costs.yaml"), "blocks: [{forward: 1}]").unwrap();
    fails(&[costs], "costs.yaml: not costs of blocks: ");
}

#[test]
fn a_timed_run_draws_itself() {
    let place = Place::new();
    let ran = place.tiny("timed", &["run.trace=timed"]);
    let trace: serde_json::Value = serde_json::from_str(&place.read("timed/trace.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let backwards = events.iter().filter(|event| event["cat"] == "backward");
    // Five batches of 32 in 160 images, each through two workers; the second epoch is not recorded.
    assert_eq!(backwards.count(), 10);
    assert!(place.read("timed/trace.svg").starts_with("<svg"));
    assert!(ran.stdout.contains("trace.svg"), "{}", ran.stdout);
    place.tiny("logical", &[]);
    assert!(!place.file("runs/logical/trace.json").exists());
}

#[test]
fn batch_compensation_says_what_it_did() {
    let place = Place::new();
    let key = "method.batch_compensation";
    let sets = [
        format!("{key}.fill=true"),
        format!("{key}.balance=true"),
        format!("{key}.rate=sqrt"),
    ];
    let mut sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    sets.push("method.modules=3");
    let ran = place.tiny("both", &sets);
    assert!(
        ran.stdout.contains("batch compensation: workers were "),
        "{}",
        ran.stdout
    );
    let done = place.summary("both")["batch_compensation"].clone();
    let [before, after, size, lr] =
        ["utilisation_before", "utilisation_after", "batch_size", "lr"].map(|key| done[key].as_f64().unwrap());
    assert!((0.0..=1.0).contains(&before) && (0.0..=1.0).contains(&after), "{done}");
    assert!(size >= 32.0 && size % 8.0 == 0.0, "{done}");
    assert!((lr - 0.1 * (size / 32.0).sqrt()).abs() < 1e-12, "{done}");
    // What came of it is in the configuration, so that the run can be repeated.
    assert_eq!(
        place
            .dtrp(&["train", "--config", "runs/both/config.yaml", "--name", "again"])
            .code,
        0
    );
    assert!(place.weights("both") == place.weights("again"));
    assert!(place.summary("again")["batch_compensation"].is_null());
    // A budget that is too small even for the batches as they are is an error, which says what would do.
    sets.push("method.memory_budget=1 B");
    sets[1] = "method.batch_compensation.balance=false";
    let ran = place.train(&[TINY, &sets].concat());
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let (_, least) = ran
        .stderr
        .split_once("the least that is enough is ")
        .unwrap_or_else(|| panic!("{}", ran.stderr));
    let (least, _) = least.split_once(';').unwrap();
    // With a budget for what the batches were already, they stay.
    let budget = format!("method.memory_budget={least}");
    *sets.last_mut().unwrap() = &budget;
    place.tiny("capped", &sets);
    let done = place.summary("capped")["batch_compensation"].clone();
    assert_eq!(done["batch_size"], 32);
    assert_eq!(done["lr"], 0.1);
}

/// What modules recompute, as the configuration of a run has it.
fn recomputed(place: &Place, run: &str) -> Vec<String> {
    let config = place.read(&format!("{run}/config.yaml"));
    let section = config.split("recompute:").nth(1).unwrap();
    let items = section.lines().map_while(|line| match line.trim() {
        "" => Some(None),
        line => line.strip_prefix("- ").map(|item| Some(item.to_owned())),
    });
    items.flatten().collect()
}

#[test]
fn what_is_recomputed_is_chosen_or_found() {
    let place = Place::new();
    let eager = ["method.order=eager", "method.modules=3"];
    // DTRP that recomputes nothing is SpecTrain.
    place.tiny("spectrain", &["method.name=spectrain", "method.modules=3"]);
    place.tiny("none", &[&eager[..], &["method.recompute=none"]].concat());
    assert!(place.weights("spectrain") == place.weights("none"));
    place.tiny("full", &eager);
    place.tiny("both", &[&eager[..], &["method.recompute=[full, none, full]"]].concat());
    assert!(place.weights("full") != place.weights("none"));
    assert!(place.weights("both") != place.weights("full") && place.weights("both") != place.weights("none"));

    write_costs(&place, [3, 3, 2, 2, 2], BLOCKS, 32);
    let auto = [
        &eager[..],
        &["method.recompute=auto", "method.cuts=auto", "method.costs=costs.yaml"],
    ]
    .concat();
    let with = |more: &'static str| [&auto[..], &[more]].concat();
    // With room for all graphs nothing is recomputed; with as much as it takes at least, something is.
    place.tiny("roomy", &with("method.memory_budget=1 MB"));
    assert_eq!(recomputed(&place, "roomy")[..2], ["none", "none"]);
    let ran = place.train(&[TINY, &with("method.memory_budget=1")].concat());
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("the least that is enough is"), "{}", ran.stderr);
    // Without a budget: what plain backpropagation on one worker holds.
    place.tiny("auto", &auto);
    assert_eq!(recomputed(&place, "auto").len(), 3);
    let again = ["train", "--config", "runs/auto/config.yaml", "--name", "again"];
    assert_eq!(place.dtrp(&again).code, 0);
    assert!(place.weights("auto") == place.weights("again"));
    // With cuts that are given.
    let cut = with("method.cuts=[1, 3]");
    place.tiny("cut", &cut);
    assert_eq!(recomputed(&place, "cut").len(), 3);
}

#[test]
fn what_cannot_be_recomputed_is_told() {
    let place = Place::new();
    for (sets, said) in [
        (
            &["method.name=gpipe", "method.recompute=full"][..],
            "must be null unless method.name is",
        ),
        (
            &["method.recompute=[full]"],
            "must be a list of 2, one for each of method.modules",
        ),
        (&["method.recompute=half"], "`full`, `none`, `auto`"),
        (
            &["method.recompute=auto", "method.batch_compensation.fill=true"],
            "must be false where method.recompute is auto",
        ),
    ] {
        let ran = place.train(&[TINY, sets].concat());
        assert_eq!(ran.code, 3, "{sets:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{sets:?}: {}", ran.stderr);
    }
}
