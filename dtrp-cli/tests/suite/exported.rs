//! Networks that PyTorch has exported, in configurations and in `dtrp models show`.

use crate::support::{Place, Ran};
use dtrp_models::weights::{self, WeightsFile};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use tch::Tensor;

/// A place with the small exported network of dtrp-models' tests.
fn place() -> Place {
    let place = Place::new();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dtrp-models/tests/exported/files");
    for name in ["toy.pt2", "two.pt2", "evaluation.pt2", "functional.pt2"] {
        fs::copy(files.join(name), place.file(name)).unwrap();
    }
    place
}

const RUN: [&str; 10] = [
    "data.name=synthetic",
    "data.shape=[3,8,8]",
    "data.classes=5",
    "data.limit=20",
    "data.test_limit=8",
    "data.batch_size=8",
    "run.epochs=1",
    "model.name=exported",
    "model.file=toy.pt2",
    "method.modules=2",
];

fn train(place: &Place, name: &str, more: &[&str]) -> Ran {
    let mut args = vec!["train", "--name", name];
    args.extend(RUN.iter().chain(more).flat_map(|set| ["--set", set]));
    place.dtrp(&args)
}

#[test]
fn it_trains_goes_on_and_gives_its_weights_back() {
    let place = place();
    let ran = train(&place, "a", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let weights = WeightsFile::open(&place.file("runs/a/weights.safetensors")).unwrap();
    let names: Vec<&str> = weights.names().collect();
    for name in [
        "shared.weight",
        "blocks.0.bn1.num_batches_tracked",
        "mask",
        "passes",
        "frozen",
        "unread",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.contains(&"table"), "{names:?}");
    // The resolved configuration repeats the run.
    let again = place.dtrp(&["train", "-c", "runs/a/config.yaml", "--name", "b"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(place.weights("a") == place.weights("b"));
    // Cut inside a block it is another run of the same network.
    let inside = train(&place, "inside", &["method.cuts=[blocks.0/conv2]"]);
    assert_eq!(inside.code, 0, "{}", inside.stderr);
    assert!(place.read("inside/config.yaml").contains("blocks.0/conv2"));
    // A run that is taken up again ends as one that never stopped.
    let half = train(&place, "half", &["checkpoint.every_steps=2"]);
    assert_eq!(half.code, 0, "{}", half.stderr);
    let rest = place.dtrp(&[
        "train",
        "--resume",
        "runs/half/checkpoints/step-00000002",
        "--name",
        "rest",
    ]);
    assert_eq!(rest.code, 0, "{}", rest.stderr);
    assert!(place.weights("a") == place.weights("rest"));
}

/// The weights with which a run starts, by name: at learning rate 0 they are those with which it ends.
fn start(place: &Place, name: &str, more: &[&str]) -> (Ran, HashMap<String, Tensor>) {
    let still = ["optimizer.lr=0", "run.max_steps=1"];
    let ran = train(place, name, &[&still[..], more].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let tensors = weights::load(&place.file(&format!("runs/{name}/weights.safetensors"))).unwrap();
    (ran, tensors)
}

#[test]
fn a_head_for_other_classes_starts_anew() {
    let place = place();
    let (ran, own) = start(&place, "own", &[]);
    assert!(!ran.stderr.contains("anew"), "{}", ran.stderr);
    let (ran, other) = start(&place, "other", &["data.classes=7"]);
    assert!(ran.stderr.contains("fc.weight, fc.bias start anew"), "{}", ran.stderr);
    assert_eq!(other["fc.weight"].size(), [7, 6]);
    assert_eq!(other["fc.bias"].size(), [7]);
    let bound = 1.0 / 6f64.sqrt();
    let most = other["fc.weight"].abs().max().double_value(&[]);
    assert!(most <= bound && most > bound / 2.0, "{most}");
    for (name, tensor) in &own {
        let learns = !name.contains("running") && !["mean", "passes"].contains(&name.as_str());
        assert!(
            name.starts_with("fc.") || !learns || tensor.equal(&other[name]),
            "{name}"
        );
    }
    // What comes of it is used like any other run.
    let ran = train(&place, "trained", &["data.classes=7", "checkpoint.every_steps=2"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for args in [
        &["eval", "runs/trained"][..],
        &["export", "runs/trained", "-o", "trained.safetensors"],
        &[
            "train",
            "--resume",
            "runs/trained/checkpoints/step-00000002",
            "--name",
            "rest",
        ],
    ] {
        let ran = place.dtrp(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    }
    assert!(place.weights("trained") == place.weights("rest"));
}

#[test]
fn it_is_written_back_with_its_weights() {
    let place = place();
    for (name, classes) in [("same", "data.classes=5"), ("other", "data.classes=7")] {
        let ran = train(&place, name, &[classes]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let (run, file) = (format!("runs/{name}"), format!("{name}.pt2"));
        let ran = place.dtrp(&["export", &run, "-o", &file]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        // Read again it is the network with these weights.
        let file = format!("model.file={file}");
        let (ran, back) = start(&place, &format!("{name}-back"), &[classes, &file]);
        assert!(!ran.stderr.contains("anew"), "{}", ran.stderr);
        let trained = weights::load(&place.file(&format!("runs/{name}/weights.safetensors"))).unwrap();
        for (tensor, trained) in trained
            .iter()
            .filter(|(tensor, _)| !tensor.contains("running") && !tensor.contains("batches"))
        {
            let counts = ["mean", "passes"].contains(&tensor.as_str());
            assert!(counts || back[tensor].equal(trained), "{tensor}");
        }
    }
    // Weights of another network, another type, and a network of ours.
    for (args, code, says) in [
        (
            &["export", "runs/same", "-o", "x.pt2", "--dtype", "bf16"][..],
            5,
            "--dtype is not for pt2",
        ),
        (
            &["export", "runs/zoo", "-o", "x.pt2"],
            5,
            "did not come from a .pt2 file",
        ),
        (
            &["export", "runs/same", "-o", "x.onnx"],
            5,
            ".safetensors, .npz or .pt2",
        ),
    ] {
        if args[1] == "runs/zoo" {
            place.tiny("zoo", &["run.max_steps=1"]);
        }
        let ran = place.dtrp(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!place.file("x.pt2").exists());
    }
}

#[test]
fn what_is_named_starts_anew() {
    let place = place();
    let (_, own) = start(&place, "own", &[]);
    let (ran, fresh) = start(
        &place,
        "fresh",
        &["model.fresh=[shared.*, blocks.0.bn1.*, stem.weight]"],
    );
    assert!(ran.stderr.contains("stem.weight"), "{}", ran.stderr);
    for name in ["stem.weight", "shared.weight", "shared.bias"] {
        assert!(!own[name].equal(&fresh[name]), "{name}");
    }
    for name in ["fc.weight", "stem.bias", "blocks.1.conv1.weight"] {
        assert!(own[name].equal(&fresh[name]), "{name}");
    }
    assert_eq!(fresh["blocks.0.bn1.weight"].min().double_value(&[]), 1.0);
    assert_eq!(fresh["blocks.0.bn1.num_batches_tracked"].int64_value(&[]), 1);
}

#[test]
fn its_blocks_are_shown() {
    let place = place();
    let shown = place.dtrp(&["models", "show", "toy.pt2"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for says in ["blocks.0", "6 x 3 x 3", "fc", "1,565"] {
        assert!(shown.stdout.contains(says), "{says}: {}", shown.stdout);
    }
    let second = place.dtrp(&["models", "show", "two.pt2", "-o", "output=1"]);
    assert_eq!(second.code, 0, "{}", second.stderr);
}

#[test]
fn what_does_not_fit_is_an_error_of_the_model() {
    let place = place();
    for (set, says) in [
        (
            &["data.shape=[1,8,8]"][..],
            "exported for 3 x 8 x 8, and the data has 1 x 8 x 8",
        ),
        (
            &["model.file=functional.pt2", "data.shape=[3,2,2]"],
            "gives 2 numbers for each, but the data has 5 classes, and its last operator is not a linear layer",
        ),
        (&["model.fresh=[unread]"], "`unread` cannot start anew"),
        (&["model.fresh=[shared.wait]"], "did you mean `shared.weight`?"),
        (&["model.file=nothing.pt2"], "nothing.pt2 cannot be read"),
        (&["model.file=~somebody/net.pt2"], "not expanded"),
        (&["model.file=3"], "the path of a file"),
        (&["model.file=null"], "option `file` is missing"),
        (&["model.file=two.pt2"], "gives 2 tensors"),
        (&["model.file=evaluation.pt2", "model.output=0"], "net.train()"),
        (&["method.modules=6"], "5 blocks"),
    ] {
        let ran = train(&place, "x", set);
        assert!(ran.code == 5 || ran.code == 3, "{set:?}: {} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains(says), "{set:?}: {}", ran.stderr);
    }
    let shown = place.dtrp(&["models", "show", "two.pt2"]);
    assert_eq!(shown.code, 5, "{}", shown.stderr);
}
