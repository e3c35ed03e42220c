//! Training with plug-ins: the same bits as with the same rule built in, and a record of which file it was.

use crate::build::{build_c, build_rust, examples, from_template, path_source};
use crate::support::Place;
use dtrp_predictors::loader::Library;
use serde_json::{Value, json};

/// An exact number of either float type, so that a plug-in that divides by the rate and multiplies with it loses nothing.
const EXACT_RATE: &[&str] = &[
    "run.dtype=f64",
    "optimizer.lr=0.0625",
    "optimizer.schedule.name=constant",
];

/// Twenty steps of the digits.
fn train(place: &Place, name: &str, modules: usize, predictor: &Value, sets: &[&str]) -> Vec<u8> {
    let own = [
        format!("method.modules={modules}"),
        format!("method.predictor={predictor}"),
    ];
    let own = own.each_ref().map(String::as_str);
    let length = ["data.limit=640", "run.epochs=1"];
    place.tiny(name, &[&length, &own, sets].concat());
    place.weights(name)
}

#[test]
fn a_rule_gives_the_same_bits_loaded_and_built_in() {
    let place = Place::new();
    let linear = build_rust(&examples().join("linear-rule"), "linear-rule");
    let online = build_rust(&examples().join("online"), "online");
    let (_folder, c) = build_c(&examples().join("c-lookahead/lookahead.c"));
    let plugin = |path, options| json!({ "plugin": path, "options": options });
    for (what, plugin, built_in, sets) in [
        ("fade 1", plugin(&linear, json!({ "fade": 1 })), "momentum", &[][..]),
        (
            "fade mu",
            plugin(&linear, json!({ "fade": 0.9 })),
            "damped",
            &["optimizer.momentum=0.9"],
        ),
        // Without memory the last displacement is what it has learned.
        (
            "online",
            plugin(&online, json!({ "memory": 0 })),
            "difference",
            EXACT_RATE,
        ),
        // Without a limit that anything reaches.
        ("c", plugin(&c, json!({ "limit": 1e30 })), "momentum", EXACT_RATE),
    ] {
        for modules in [2, 3] {
            let loaded = train(&place, "loaded", modules, &plugin, sets);
            let own = train(&place, "own", modules, &built_in.into(), sets);
            assert!(loaded == own, "{what} on {modules} modules: other weights");
            if modules == 2 {
                let none = train(&place, "none", modules, &"none".into(), sets);
                assert!(loaded != none, "{what} does nothing");
            }
        }
    }
}

#[test]
fn a_run_says_which_predictor_it_was() {
    let place = Place::new();
    let path = build_rust(&examples().join("linear-rule"), "linear-rule");
    let path = path.canonicalize().unwrap();
    let predictor = format!("method.predictor={}", json!({ "plugin": path }));
    let sha256 = Library::open(&path).unwrap().sha256().to_owned();
    let ran = place.tiny("a", &["method.modules=3", "run.max_steps=6", &predictor]);
    let summary = place.summary("a");
    assert_eq!(summary["predictor"], "org.example.fading");
    assert_eq!(summary["predictor_version"], "0.1.0");
    let expected = json!({ "path": path, "sha256": sha256, "interface": "1.0" });
    assert_eq!(summary["plugin"], expected);
    let said = format!(
        "predictor org.example.fading 0.1.0 of {} (SHA-256 {sha256})",
        path.display()
    );
    assert_eq!(ran.stderr.matches(&said).count(), 1, "{}", ran.stderr);

    place.tiny("b", &["run.max_steps=6", "method.predictor=damped"]);
    let summary = place.summary("b");
    assert_eq!(summary["predictor"], "damped");
    assert_eq!(summary["predictor_version"], env!("CARGO_PKG_VERSION"));
    assert!(summary["plugin"].is_null());

    place.tiny("c", &["run.max_steps=6", "method.name=bp"]);
    let summary = place.summary("c");
    assert!(summary["predictor"].is_null() && summary["predictor_version"].is_null());
}

#[test]
fn what_a_plugin_logs_is_in_the_log() {
    let place = Place::new();
    let (_folder, c) = build_c(&examples().join("c-lookahead/lookahead.c"));
    let predictor = format!("method.predictor={}", json!({ "plugin": c }));
    let args = ["train", "--dry-run", "--set", &predictor];
    let said = "plug-in: no parameter moves further than 0.01";
    for (verbose, expected) in [(&[][..], false), (&["--verbose"], true)] {
        let ran = place.dtrp(&[verbose, &args].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.stderr.contains(said), expected, "{}", ran.stderr);
    }
}

/// What `docs/plugins.md` shows, and what it says of optimizers.
#[test]
fn a_new_custom_rule_trains() {
    let place = Place::new();
    let project = from_template(&["rust", "rust-custom"], "my-custom", &path_source());
    let path = build_rust(project.path(), "my-custom");
    let plugin = json!({ "plugin": path, "options": { "memory": 0.8 } });
    let custom = train(&place, "custom", 3, &plugin, &[]);
    assert!(
        custom != train(&place, "none", 3, &"none".into(), &[]),
        "it does nothing"
    );
    let summary = place.summary("custom");
    assert_eq!(summary["predictor"], "org.example.my-custom");
    assert!(summary["workers"][0]["prediction_gain"].as_f64().is_some(), "{summary}");
    let predictor = format!("method.predictor={}", json!({ "plugin": path }));
    let ran = place.train(&[&predictor, "optimizer.name=adam"]);
    assert_eq!(ran.code, 8, "{}", ran.stderr);
    assert!(ran.stderr.contains("set optimizer.name: sgd"), "{}", ran.stderr);
}
