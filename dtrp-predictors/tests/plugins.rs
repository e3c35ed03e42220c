//! The example plug-ins, built as a third party would build them, loaded and checked; and the broken ones, each with its
//! own error.
#![cfg(feature = "host")]

mod build;

use build::{build_c, build_rust, cargo, crate_folder, examples, from_template, path_source, run};
use dtrp_predictors::{
    Arrays, Context, GpuArrays, GpuOutput, GpuPointers, OptimizerState, Output, PluginError, Predictor, PredictorError,
    Spec, Views,
    conformance::{self, ConformanceSettings},
    create,
    loader::Library,
    provenance,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

fn sgd<'a>(learning_rates: &'a [f64]) -> Context<'a> {
    let optimizer = OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    Context {
        module: 1,
        modules: 4,
        update: 20,
        learning_rates,
        optimizer,
    }
}

fn forecast(predictor: &mut dyn Predictor, views: Views<'_, f32>) -> Vec<u32> {
    let mut out = vec![f32::NAN; views.weights.len()];
    predictor
        .forecast(&sgd(&[0.1, 0.1, 0.01]), views, &mut out)
        .expect("a forecast");
    out.into_iter().map(f32::to_bits).collect()
}

#[test]
fn the_examples_pass_their_own_tests() {
    for name in ["linear-rule", "online"] {
        cargo("test", &examples().join(name));
    }
}

/// So that whoever has fetched the workspace can build the examples without the network.
#[test]
fn the_examples_lock_what_the_workspace_locks() {
    let packages = |lock: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(lock).expect("a lock file");
        let entries = text.split("[[package]]").skip(1);
        let from_registry = entries.filter(|entry| entry.contains("checksum = "));
        from_registry
            .map(|entry| {
                let keys = ["name", "version", "source", "checksum"];
                let lines = entry.lines().filter(|l| keys.iter().any(|k| l.starts_with(k)));
                lines.collect::<Vec<_>>().join(" ")
            })
            .collect()
    };
    let workspace = packages(&crate_folder().join("../Cargo.lock"));
    for example in ["linear-rule", "online", "broken/panics"] {
        let own = packages(&examples().join(example).join("Cargo.lock"));
        assert!(!own.is_empty(), "{example}");
        let missing: Vec<_> = own.iter().filter(|p| !workspace.contains(p)).collect();
        assert!(missing.is_empty(), "{example}: run `cargo update` there: {missing:#?}");
    }
}

#[test]
fn linear_rule() {
    let path = build_rust(&examples().join("linear-rule"), "linear-rule");
    let report = conformance::check(&path);
    assert!(report.passed(), "{report}");
    let file = std::fs::read(&path).expect("the library");
    let sha256: String = Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(report.sha256, sha256);
    let spec = Spec::plugin(&path, "");
    let from = provenance(&spec).expect("it is there");
    assert_eq!((&*from.name, &*from.version), ("org.example.fading", "0.1.0"));
    assert_eq!(from.plugin.map(|file| file.sha256), Some(sha256));

    // The same bits as the same rules built in, by the way a configuration goes.
    let (w, d) = (vec![0.3f32, -0.7, 1.1], vec![0.2f32, 0.9, -0.4]);
    let views = Views {
        direction: Some(&d),
        ..Views::of(&w)
    };
    for (fade, name) in [(1.0, "momentum"), (0.9, "damped")] {
        let spec = json!({ "plugin": path, "id": "org.example.fading", "options": { "fade": fade } });
        let mut plugin = create(&Spec::from_value(&spec).expect("a spec")).expect("a predictor");
        let mut built_in = create(&Spec::named(name)).expect("a built-in");
        assert_eq!(forecast(&mut *plugin, views), forecast(&mut *built_in, views), "{name}");
    }
    for (spec, says) in [
        (
            json!({ "plugin": path, "id": "org.example.fadin" }),
            "did you mean `org.example.fading`?",
        ),
        (
            json!({ "plugin": path, "options": { "fad": 1 } }),
            "has no option `fad` (did you mean `fade`?)",
        ),
        (
            json!({ "plugin": path, "options": { "fade": 2 } }),
            "must be a number from 0 to 1",
        ),
        (
            json!({ "plugin": "no/such.so" }),
            "cannot read the plug-in no/such.so: No such file",
        ),
        (
            json!({ "plugin": crate_folder().join("Cargo.toml") }),
            "is it a shared library for this system",
        ),
    ] {
        let error = create(&Spec::from_value(&spec).expect("a spec"))
            .map(drop)
            .expect_err(says);
        assert!(
            matches!(error, PredictorError::Plugin(_)) && error.to_string().contains(says),
            "{error}"
        );
    }
}

#[test]
fn online() {
    let path = build_rust(&examples().join("online"), "online");
    let report = conformance::check(&path);
    assert!(report.passed(), "{report}");

    let mut predictor = create(&Spec::plugin(&path, "")).expect("a predictor");
    assert!(predictor.wants_observe());
    let (w, x) = ([1.0f32, 2.0], [-0.2f32, 0.1]);
    let views = Views {
        displacement: Some(&x[..]),
        ..Views::of(&w)
    };
    predictor.observe(&sgd(&[0.1]), Arrays::F32(views)).expect("seen");
    let mut restored = create(&Spec::plugin(&path, "")).expect("a predictor");
    restored.load(&predictor.save()).expect("its own state");
    for predictor in [&mut predictor, &mut restored] {
        let ahead = forecast(&mut **predictor, Views::of(&w));
        // Δ/η = (−2, 1), over Σ η = 0.21.
        let expected = [1.0 - 0.42f32, 2.21];
        assert!(
            ahead
                .iter()
                .zip(expected)
                .all(|(a, b)| (f32::from_bits(*a) - b).abs() < 1e-6),
            "{ahead:?}"
        );
    }
    let error = restored.load(&[1, 2, 3]).expect_err("no state").to_string();
    assert!(
        error.contains("refuses the saved state") && error.contains("3 bytes are no list of f64"),
        "{error}"
    );
}

/// What a plug-in is told of arrays on a GPU, and that it is asked to work there only if it says that it can.
#[test]
fn arrays_of_a_gpu_reach_a_plug_in() {
    let (_folder, path) = build_c(&examples().join("c-lookahead/lookahead.c"));
    let mut predictor = create(&Spec::plugin(&path, "")).expect("a predictor");
    assert!(!predictor.on_gpu(), "it declares the CPU only");
    let null = std::ptr::null();
    let pointers = GpuPointers {
        gpu: 1,
        stream: std::ptr::null_mut(),
        bits: 32,
        len: 4,
        weights: null,
        direction: null,
        gradient: null,
        displacement: null,
    };
    // SAFETY: the plug-in looks at the device first and refuses; it reads and writes nothing.
    let (arrays, out) = unsafe { (GpuArrays::new(pointers), GpuOutput::new(std::ptr::null_mut())) };
    let result = predictor.predict(&sgd(&[0.1]), Arrays::Device(&arrays), Output::Device(out));
    let error = result.expect_err("refused").to_string();
    assert!(error.contains("only the CPU is supported"), "{error}");
}

#[test]
fn c_lookahead() {
    let (_folder, path) = build_c(&examples().join("c-lookahead/lookahead.c"));
    let report = conformance::check(&path);
    assert!(report.passed(), "{report}");
    let with_options = ConformanceSettings {
        options: json!({ "limit": 0.5 }),
        ..ConformanceSettings::default()
    };
    assert!(conformance::check_with(&path, &with_options).passed());

    let mut predictor = create(&Spec::plugin(&path, "").with(json!({ "limit": 0.1 }))).expect("a predictor");
    let (w, d) = ([1.0f32, 1.0, 1.0], [0.1f32, 10.0, -10.0]);
    let ahead = forecast(
        &mut *predictor,
        Views {
            direction: Some(&d),
            ..Views::of(&w)
        },
    );
    let ahead: Vec<_> = ahead.into_iter().map(f32::from_bits).collect();
    assert_eq!(ahead, [1.0 - 0.021, 0.9, 1.1]);
    let error = create(&Spec::plugin(&path, "").with(json!({ "limit": 0 })))
        .map(drop)
        .expect_err("refused")
        .to_string();
    assert!(
        error.contains("refuses its options: the only option is \"limit\", a number above 0"),
        "{error}"
    );
}

const SECOND: Duration = Duration::from_secs(1);

/// Loading and trying out says `load`; the conformance check fails in `check`, or cannot load it at all.
fn broken(path: &Path, load: &str, check: &str) {
    let start = Instant::now();
    let loaded = Library::open(path).and_then(|library| library.create_within("", &Value::Null, SECOND).map(drop));
    let said = loaded.as_ref().map_or_else(ToString::to_string, |()| String::new());
    assert!(
        said.contains(load) && said.is_empty() == load.is_empty(),
        "{}: {said}",
        path.display()
    );

    let report = conformance::check_with(
        path,
        &ConformanceSettings {
            limit: SECOND,
            ..ConformanceSettings::default()
        },
    );
    assert!(!report.passed(), "{report}");
    match report.failures().next() {
        Some((_, name, how)) => assert_eq!(name, check, "{how}"),
        None => assert!(check.is_empty() && report.to_string().contains(load), "{report}"),
    }
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "it took {:?}",
        start.elapsed()
    );
}

#[test]
fn broken_ones_in_c() {
    for (name, load, check) in [
        ("no_entry", "it does not export `dtrp_predictor_entry`", ""),
        (
            "wrong_magic",
            "its entry begins with \"CLAPCLAP\", not \"DTRPPRED\"",
            "",
        ),
        (
            "wrong_major",
            "speaks version 99 of the interface, this program version 1",
            "",
        ),
        ("short_struct", "has a dtrp_entry of 24 bytes, but the least is 48", ""),
        ("nan", "predicts NaN for parameter 66 of 67", "finite"),
        (
            "too_long",
            "wrote outside the output it was given (67 elements of f32): behind its end",
            "output",
        ),
        (
            "too_short",
            "did not write its whole output (67 elements of f32): element 66 was left",
            "output",
        ),
        (
            "sleeps",
            "did not come back from `create, rule, predict or observe` within 1s",
            "in time",
        ),
        (
            "silent",
            "failed in `predict` (status 1): it does not say why",
            "calls succeed",
        ),
        (
            "writes_inputs",
            "wrote in `predict` to its inputs, which it may only read",
            "inputs",
        ),
        ("not_identity", "", "horizon 0"),
        ("unsteady", "", "same bytes"),
    ] {
        let (_folder, path) = build_c(&examples().join("broken").join(name).with_extension("c"));
        broken(&path, load, check);
    }
}

#[test]
fn one_that_panics() {
    let path = build_rust(&examples().join("broken/panics"), "panics");
    broken(&path, "`org.example.broken.panics` of ", "calls succeed");
    broken(
        &path,
        "panicked in `predict`: 67 weights are too many for me",
        "calls succeed",
    );
}

/// A predictor that turns bad only in the middle of a run: the run gets an error, and never the bad forecast.
#[test]
fn an_error_at_a_later_call() {
    let (_folder, path) = build_c(&examples().join("c-lookahead/lookahead.c"));
    let mut predictor = create(&Spec::plugin(&path, "")).expect("a predictor");
    let mut out = [0.0f32];
    let error = predictor
        .forecast(&sgd(&[0.1]), Views::of(&[f32::INFINITY]), &mut out)
        .expect_err("not finite");
    assert!(
        matches!(error, PredictorError::Plugin(PluginError::NonFinite { .. })),
        "{error}"
    );
    assert!(
        error.to_string().contains("predicts inf for parameter 0 of 1"),
        "{error}"
    );
}

#[test]
fn a_new_plugin_in_rust() {
    for folders in [&["rust"][..], &["rust", "rust-custom"]] {
        let folder = from_template(folders, "brand-new", &path_source());
        let path = build_rust(folder.path(), "brand-new");
        let report = conformance::check(&path);
        assert!(report.passed(), "{report}");
        assert_eq!(report.predictors[0].descriptor.id, "org.example.brand-new");
        cargo("test", folder.path());
    }
}

/// As whoever has only the address of the repository would build it: here that of a copy of the two crates that a plug-in needs.
#[test]
fn a_new_plugin_with_the_sdk_from_a_repository() {
    let repository = tempfile::tempdir().expect("a temporary folder");
    let workspace = crate_folder().join("..");
    let text = std::fs::read_to_string(workspace.join("Cargo.toml")).expect("the workspace");
    let (before, rest) = text.split_once("members = [").expect("its members");
    let (_, after) = rest.split_once(']').expect("their end");
    let text = format!(
        "{before}members = [\"dtrp-predictors\", \"dtrp-text\"{}",
        &format!("]{after}")
    );
    let (before, rest) = text.split_once("default-members = [").unwrap_or((&text, "]"));
    let after = rest.split_once(']').expect("their end").1;
    std::fs::write(repository.path().join("Cargo.toml"), format!("{before}{after}")).expect("a manifest");
    for name in ["dtrp-predictors", "dtrp-text"] {
        let copy = Command::new("cp")
            .arg("-r")
            .arg(workspace.join(name))
            .arg(repository.path())
            .status();
        assert!(copy.expect("cp").success());
    }
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        run(Command::new("git")
            .current_dir(repository.path())
            .args(identity)
            .args(args));
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "all"]);

    let source = format!("git = \"file://{}\"", repository.path().display());
    let folder = from_template(&["rust", "rust-custom"], "from-afar", &source);
    // What cargo fetches from there is thrown away; what it has of registries serves here too.
    let home = tempfile::tempdir().expect("a temporary folder");
    let own = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let own = own
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")))
        .expect("cargo's folder");
    for name in ["registry", "config.toml"] {
        if own.join(name).exists() {
            std::os::unix::fs::symlink(own.join(name), home.path().join(name)).expect("a link");
        }
    }
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--lib"]).current_dir(folder.path());
    build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(build
        .env("CARGO_HOME", home.path())
        .env("CARGO_TARGET_DIR", folder.path().join("target")));
    let report = conformance::check(&folder.path().join("target/debug/libfrom_afar.so"));
    assert!(report.passed(), "{report}");
}

/// The page shows the whole of the template, so what stands there compiles, keeps the rules, and trains.
#[test]
fn the_page_has_the_custom_template() {
    let read = |path: &str| std::fs::read_to_string(crate_folder().join(path)).expect("a text");
    let template = read("templates/rust-custom/src/lib.rs.in").replace("{{name}}", "my-rule");
    assert!(
        read("../docs/plugins.md").contains(&format!("```rust\n{template}```\n")),
        "docs/plugins.md does not show templates/rust-custom/src/lib.rs.in as it is, with `my-rule` for the name"
    );
}

/// What it has to say of itself reaches whoever loads it.
#[test]
fn an_error_in_words_of_its_own() {
    let folder = from_template(&["rust", "rust-custom"], "wordy", &path_source());
    let mut predictor = create(&Spec::plugin(build_rust(folder.path(), "wordy"), "")).expect("a predictor");
    let optimizer = OptimizerState::Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        decoupled: true,
    };
    let context = Context {
        optimizer,
        ..sgd(&[0.1])
    };
    let error = predictor.rule(&context).expect_err("refused").to_string();
    assert!(
        error.contains("it knows the steps of sgd, not of adamw; set optimizer.name: sgd"),
        "{error}"
    );
}

#[test]
fn a_new_plugin_in_c() {
    let folder = from_template(&["c"], "brand-new", &path_source());
    run(Command::new("make").arg("--silent").current_dir(folder.path()));
    let report = conformance::check(&folder.path().join("libbrand_new.so"));
    assert!(report.passed(), "{report}");
    assert_eq!(report.predictors[0].descriptor.id, "org.example.brand-new");
}
