//! `model.init_from`: whatever the file is, the message names the key, the file, what it is and what to do; and what can be
//! loaded is.

use crate::support::{build, refused, settings};
use dtrp_train::Training;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tch::Tensor;
use tempfile::TempDir;

/// The parts of a safetensors file: the header's entries, and the bytes after it.
struct Parts {
    header: Map<String, Value>,
    data: Vec<u8>,
}

impl Parts {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self {
            header: serde_json::from_slice(&bytes[8..8 + length]).unwrap(),
            data: bytes[8 + length..].to_vec(),
        }
    }

    fn write(&self, path: &Path) {
        let header = serde_json::to_vec(&self.header).unwrap();
        let length = (header.len() as u64).to_le_bytes();
        fs::write(path, [&length[..], &header, &self.data].concat()).unwrap();
    }

    fn renamed(mut self, name: impl Fn(&str) -> String) -> Self {
        self.header = self
            .header
            .into_iter()
            .map(|(old, entry)| match &*old {
                // Which is no tensor.
                "__metadata__" => (old, entry),
                _ => (name(&old), entry),
            })
            .collect();
        self
    }

    fn add(&mut self, name: &str, dtype: &str, shape: &[usize], bytes: &[u8]) {
        let from = self.data.len();
        self.data.extend(bytes);
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [from, self.data.len()]});
        self.header.insert(name.to_owned(), entry);
    }
}

/// A folder with the weights of the small network in `own.safetensors`.
fn place() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    build(&[])
        .unwrap()
        .save_weights(folder.path().join("own.safetensors"))
        .unwrap();
    folder
}

fn from(path: &Path) -> Vec<(&'static str, Value)> {
    vec![("model.init_from", json!(path)), ("run.seed", json!(7))]
}

fn says(message: &str, parts: &[&str]) {
    for part in ["model.init_from"].iter().chain(parts) {
        assert!(message.contains(part), "{message}\nwanted: {part}");
    }
}

/// Fails unless the training starts from the weights of the small network.
fn starts_there(path: &Path) {
    let tensors = |trainer: dtrp_train::Trainer| trainer.snapshot().unwrap().tensors();
    let (own, loaded) = (tensors(build(&[]).unwrap()), tensors(build(&from(path)).unwrap()));
    assert_eq!(own.len(), loaded.len());
    for ((name, own), (_, loaded)) in own.iter().zip(&loaded) {
        assert!(own.equal(loaded), "{name}");
    }
}

#[test]
fn prefixes_are_left_out() {
    let place = place();
    let own = place.path().join("own.safetensors");
    starts_there(&own);
    for prefix in ["module.", "_orig_mod.", "model.", "backbone.", "module._orig_mod."] {
        let file = place.path().join("prefixed.safetensors");
        Parts::read(&own).renamed(|name| format!("{prefix}{name}")).write(&file);
        starts_there(&file);
    }
    // Two networks in one file: which one is meant?
    let mut twice = Parts::read(&own).renamed(|name| format!("model.{name}"));
    let again = Parts::read(&own).renamed(|name| format!("ema.{name}"));
    twice.header.extend(again.header);
    let file = place.path().join("twice.safetensors");
    twice.write(&file);
    says(&refused(&from(&file)), &["more than once", "`model.`", "`ema.`"]);
}

#[test]
fn tensors_that_are_not_needed_do_no_harm() {
    let place = place();
    let own = place.path().join("own.safetensors");
    let file = place.path().join("more.safetensors");
    let mut parts = Parts::read(&own);
    parts.add("odd", "F8_E5M2", &[2], &[0, 0]);
    parts.add("layers.0.conv.weight_scale", "F4", &[4], &[0, 0]);
    parts.add("from_the_future", "X3", &[1], &[0]);
    parts.add("ema.decay", "F32", &[], &1f32.to_le_bytes());
    parts.add("step", "I64", &[], &7i64.to_le_bytes());
    parts.write(&file);
    starts_there(&file);
    // Weights of a deeper network of the same kind are another network.
    let mut parts = Parts::read(&own);
    parts.add("layers.2.conv.weight", "F32", &[1], &1f32.to_le_bytes());
    parts.write(&file);
    says(&refused(&from(&file)), &["the network has no layers.2.conv.weight"]);
    // Odd types matter where they are needed.
    for (dtype, bytes) in [("I32", 16), ("F8_E5M2", 4)] {
        let mut parts = Parts::read(&own);
        parts.add("layers.0.bn.bias", dtype, &[4], &vec![0; bytes]);
        parts.write(&file);
        says(
            &refused(&from(&file)),
            &["`layers.0.bn.bias` has type", dtype, "convert it"],
        );
    }
}

#[test]
fn another_network_is_told_with_its_shapes() {
    let place = place();
    let own = place.path().join("own.safetensors");
    let wider = [from(&own).as_slice(), &[("model.width", json!(8))]].concat();
    says(
        &refused(&wider),
        &["has shape [4, 1, 3, 3], but this network needs [8, 1, 3, 3]"],
    );
    let deeper = [from(&own).as_slice(), &[("model.depth", json!(3))]].concat();
    says(&refused(&deeper), &["it lacks layers.2."]);
}

/// The tensors of a trainer by name.
fn tensors(sets: &[(&'static str, Value)]) -> BTreeMap<String, Tensor> {
    build(sets).unwrap().snapshot().unwrap().tensors().into_iter().collect()
}

/// Those that start anew are as they would be without a file, and all others as in it.
fn starts_anew(found: &BTreeMap<String, Tensor>, fresh: impl Fn(&str) -> bool) {
    let (theirs, ours) = (tensors(&[]), tensors(&[("run.seed", json!(7))]));
    for (name, tensor) in found {
        let expected = if fresh(name) { &ours[name] } else { &theirs[name] };
        assert!(tensor.equal(expected), "{name}");
    }
    // Which makes a difference.
    assert!(!theirs["fc.weight"].equal(&ours["fc.weight"]));
}

/// Seven classes instead of ten.
fn for_seven_classes(place: &TempDir) -> PathBuf {
    let mut parts = Parts::read(&place.path().join("own.safetensors"));
    parts.add("fc.weight", "F32", &[7, 4], &[0; 7 * 4 * 4]);
    parts.add("fc.bias", "F32", &[7], &[0; 7 * 4]);
    let file = place.path().join("head.safetensors");
    parts.write(&file);
    file
}

#[test]
fn a_classifier_for_other_classes_starts_anew() {
    let place = place();
    let file = for_seven_classes(&place);
    starts_anew(&tensors(&from(&file)), |name| name.starts_with("fc."));
    // But what only looks does not guess.
    let error = Training::from_settings(settings(&[]))
        .unwrap()
        .model(&file)
        .err()
        .unwrap()
        .to_string();
    for part in [
        "`fc.weight` has shape [7, 4]",
        "needs [10, 4]",
        "7 classes",
        "the data has 10",
    ] {
        assert!(error.contains(part), "{error}");
    }
    // Nor is it a classifier if the features are others.
    let mut parts = Parts::read(&file);
    parts.add("fc.weight", "F32", &[7, 5], &[0; 7 * 5 * 4]);
    parts.write(&file);
    says(&refused(&from(&file)), &["`fc.weight` has shape [7, 5]", "model.fresh"]);
}

#[test]
fn what_is_named_starts_anew() {
    let place = place();
    let own = place.path().join("own.safetensors");
    let fresh = |file: &Path, names: Value| [from(file).as_slice(), &[("model.fresh", names)]].concat();
    let found = tensors(&fresh(&own, json!(["layers.1.*", "fc.bias"])));
    starts_anew(&found, |name| name.starts_with("layers.1.") || name == "fc.bias");
    // Whatever the file has of it, or has not.
    let file = place.path().join("less.safetensors");
    let mut parts = Parts::read(&own);
    parts.header.remove("fc.weight");
    parts.add("fc.bias", "F32", &[3], &[0; 12]);
    parts.write(&file);
    starts_anew(&tensors(&fresh(&file, json!(["fc.*"]))), |name| name.starts_with("fc."));
    let message = refused(&fresh(&own, json!(["fc.wait"])));
    assert!(
        message.contains("no parameter `fc.wait`") || message.contains("did you mean `fc.weight`?"),
        "{message}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_named() {
    let place = place();
    let own = place.path().join("own.safetensors");
    let file = place.path().join("nan.safetensors");
    for (name, value) in [
        ("layers.1.bn.running_var", f32::NAN),
        ("layers.0.bn.weight", f32::INFINITY),
    ] {
        let mut parts = Parts::read(&own);
        let bytes: Vec<u8> = [1.0, value, 1.0, 1.0].into_iter().flat_map(f32::to_le_bytes).collect();
        parts.add(name, "F32", &[4], &bytes);
        parts.write(&file);
        let message = refused(&from(&file));
        says(&message, &[name, "not finite"]);
        assert!(!message.contains("training has diverged"), "{message}");
    }
}

#[test]
fn a_file_is_known_by_its_checksum() {
    let place = place();
    let own = place.path().join("own.safetensors");
    let hash = build(&from(&own))
        .unwrap()
        .settings()
        .model
        .init_sha256
        .clone()
        .unwrap();
    assert_eq!(hash.len(), 64);
    let with = |hash: &str| [from(&own).as_slice(), &[("model.init_sha256", json!(hash))]].concat();
    assert!(build(&with(&hash.to_uppercase())).is_ok());
    let mut parts = Parts::read(&own);
    *parts.data.last_mut().unwrap() ^= 1;
    parts.write(&own);
    says(
        &refused(&with(&hash)),
        &["not the weights that the settings mean", &hash],
    );
}

#[test]
fn files_that_are_something_else_are_told() {
    let place = place();
    let own = fs::read(place.path().join("own.safetensors")).unwrap();
    let absurd = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let long = [&99_999_999u64.to_le_bytes()[..], b"{}"].concat();
    let shifted = [&own[..8], b"?", &own[9..]].concat();
    for (name, bytes, parts) in [
        ("a.pth", &b"PK\x03\x04rest"[..], ["zip archive", "docs/models.md"]),
        ("b.pt", b"\x80\x02}q\x00.", ["pickle", "docs/models.md"]),
        (
            "c.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n",
            ["git-lfs pointer", "git lfs pull"],
        ),
        (
            "d.safetensors",
            b"<!DOCTYPE html>\n<html><head>",
            ["web page", "download"],
        ),
        ("e.json", b"{\"weight_map\": {\"a\": \"b\"}}", ["JSON", "one file"]),
        ("f.safetensors", b"", ["empty", "again"]),
        (
            "g.safetensors",
            &absurd,
            ["header would have 18446744073709551615 bytes", "no safetensors file"],
        ),
        ("h.safetensors", &long, ["truncated", "byte 100000007"]),
        ("i.safetensors", &own[..own.len() - 3], ["truncated", "again"]),
        ("j.safetensors", &own[..20], ["truncated", "again"]),
        ("k.safetensors", &own[..5], ["no safetensors file", "5 bytes"]),
        ("l.safetensors", &shifted, ["no safetensors file", "header"]),
    ] {
        let path = place.path().join(name);
        fs::write(&path, bytes).unwrap();
        let message = refused(&from(&path));
        says(&message, &parts);
        says(&message, &[name]);
    }
    says(&refused(&from(place.path())), &["is a folder"]);
    says(
        &refused(&from(&place.path().join("nowhere"))),
        &["nowhere", "cannot be read"],
    );
}
