//! Every file of `configs/` is a run: it resolves, can be planned, and trains, on small files in the format that it asks for.

use crate::sets;
use crate::support::Place;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Networks too large for training steps in a test; they are built and planned.
const LARGE: [&str; 4] = [
    "cifar10-resnet1202-dtrp-k8",
    "cifar100-wrn28x10-dtrp-k4",
    "image-folder-resnet50-dtrp-k4",
    "synthetic-wide-resnet50-dtrp-k4",
];

/// Enough steps for the delayed gradients of four modules to arrive, and for one update of ADL.
const SHORT: [&str; 6] = [
    "run.max_steps=8",
    "run.progress=none",
    "data.batch_size=4",
    "data.limit=32",
    "data.test_limit=4",
    "data.threads=1",
];

fn configs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

/// A working folder with each set where the configurations look for it.
fn place() -> Place {
    let place = Place::new();
    sets::cifar10(&place.file("data/cifar10/cifar-10-batches-bin"));
    sets::cifar100(&place.file("data/cifar100/cifar-100-binary"));
    sets::idx(&place.file("data/mnist"));
    sets::idx(&place.file("data/fashion-mnist"));
    sets::images(&place.file("data/images"));
    place
}

#[test]
fn every_configuration_can_be_planned() {
    let place = place();
    let (mut sets, mut families, mut modules) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for path in configs() {
        let file = path.to_str().unwrap();
        let shown = place.dtrp(&["config", "show", "-c", file]);
        assert_eq!(shown.code, 0, "{file}: {}", shown.stderr);
        let value = |section: &str, key: &str| {
            let lines = shown.stdout.lines().skip_while(|line| *line != format!("{section}:"));
            let found = lines
                .skip(1)
                .find_map(|line| line.trim().strip_prefix(&format!("{key}: ")));
            found.unwrap_or_else(|| panic!("{file}: no {section}.{key}")).to_owned()
        };
        sets.insert(value("data", "name"));
        families.insert(value("model", "name"));
        modules.insert(value("method", "modules"));
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if stem.contains("-k") {
            assert!(stem.ends_with(&format!("-k{}", value("method", "modules"))), "{file}");
            assert_eq!(value("run", "name"), stem);
            assert!(stem.starts_with(&value("data", "name")), "{file}");
        }
        // The plan's sizes come from a forward pass, so large images need a small batch.
        let ran = place.dtrp(&["train", "--dry-run", "-c", file, "--set", "data.batch_size=8"]);
        assert_eq!(ran.code, 0, "{file}: {}", ran.stderr);
        assert!(ran.stdout.contains("updates of every module"), "{file}: {}", ran.stdout);
    }
    // Nothing that there is goes without an example.
    let every: BTreeSet<_> = dtrp_data::list().iter().map(|set| set.name.to_owned()).collect();
    assert_eq!(sets, every);
    let every: BTreeSet<_> = dtrp_models::list()
        .iter()
        .map(|family| family.name.to_owned())
        // It needs a file, which an example cannot have.
        .filter(|name| name != "exported")
        .collect();
    assert_eq!(families, every);
    for k in ["2", "3", "4", "8"] {
        assert!(modules.contains(k), "no K = {k}");
    }
}

#[test]
fn every_configuration_trains() {
    let place = place();
    for path in configs() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if LARGE.contains(&name) {
            continue;
        }
        let mut args = vec!["train", "-c", path.to_str().unwrap(), "--name", name];
        args.extend(SHORT.iter().flat_map(|set| ["--set", set]));
        let ran = place.dtrp(&args);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let summary = place.summary(name);
        assert_eq!(summary["steps"], 8, "{name}");
        for worker in summary["workers"].as_array().unwrap() {
            assert!(worker["updates"].as_u64().unwrap() > 0, "{name}: {worker}");
        }
    }
    // A list that has outlived its files hides what it should show.
    let names: Vec<_> = configs()
        .iter()
        .map(|path| path.file_stem().unwrap().to_owned())
        .collect();
    assert!(LARGE.iter().all(|large| names.iter().any(|name| name == large)));
}
