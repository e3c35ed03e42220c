//! Networks of torchvision, as `peers.py` exports them: with the Python that `DTRP_PEERS_PYTHON` names, one after the other, or once
//! for all into a folder that `DTRP_PEERS` names. `DTRP_PEERS_ONLY` is one of them.

use super::run::{Net, distance, with_prefix};
use dtrp_core::torch::Mode;
use dtrp_models::exported::Exported;
use dtrp_models::weights;
use std::collections::HashMap;
use std::env::var_os;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tch::{Kind, Tensor};

const NAMES: [&str; 10] = [
    "resnet18",
    "densenet121",
    "mobilenet_v2",
    "efficientnet_b0",
    "googlenet",
    "vit_b_16",
    "convnext_tiny",
    "swin_t",
    "regnet_y_400mf",
    "shufflenet_v2_x1_0",
];

#[test]
#[ignore = "needs PyTorch: cargo xtask test --peers"]
fn torchvision_computes_the_same() {
    // Sums in f32 depend on how they are shared out.
    tch::set_num_threads(1);
    let only = var_os("DTRP_PEERS_ONLY");
    let mut wrong = Vec::new();
    for name in NAMES
        .into_iter()
        .filter(|name| only.as_ref().is_none_or(|only| only == name))
    {
        let began = Instant::now();
        let found = std::panic::catch_unwind(|| match var_os("DTRP_PEERS") {
            Some(folder) => compare(Path::new(&folder), name),
            None => {
                let folder = tempfile::tempdir().unwrap();
                export(folder.path(), name);
                compare(folder.path(), name)
            }
        });
        match found {
            Ok(problems) => wrong.extend(problems),
            Err(_) => wrong.push(format!("{name} panics")),
        }
        println!("{name}: {:.1} s", began.elapsed().as_secs_f64());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn export(folder: &Path, name: &str) {
    let python = var_os("DTRP_PEERS_PYTHON").expect("DTRP_PEERS_PYTHON names a Python with torch and torchvision");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exported/peers.py");
    let ran = Command::new(python).arg(script).arg(folder).arg(name).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn compare(folder: &Path, name: &str) -> Vec<String> {
    let all = weights::load(&folder.join(format!("{name}.safetensors"))).unwrap();
    let open =
        |end: &str| Exported::open(&folder.join(format!("{name}{end}.pt2")), Some(0)).unwrap_or_else(|e| panic!("{e}"));
    let (still, usual) = (open(".still"), open(""));
    let (borders, blocks) = still.natural();
    let possible: Vec<usize> = still
        .places()
        .iter()
        .filter(|p| p.problem.is_none())
        .map(|p| p.below)
        .collect();
    let crossing = still
        .places()
        .iter()
        .map(|place| place.crossing.len())
        .max()
        .unwrap_or(0);
    println!(
        "{name}: {} places, {} possible, at most {crossing} cross",
        still.places().len(),
        possible.len()
    );
    println!("  {} blocks: {}", borders.len() + 1, blocks.join(" "));
    let mut wrong = Vec::new();
    for (kind, prefix, tolerance) in [(Kind::Double, "f64.", 1e-10), (Kind::Float, "f32.", 1e-5)] {
        let mut expected = with_prefix(&all, prefix);
        for name in ["input", "cotangent", "few.input"] {
            expected.insert(name.to_owned(), all[name].to_kind(kind));
        }
        let natural = || still.natural_blocks();
        let each = |blocks: Vec<_>| blocks.into_iter().map(|block| vec![block]).collect();
        let whole = step(&Net::new(vec![natural()], kind), &expected, kind);
        let cut = step(&Net::new(each(natural()), kind), &expected, kind);
        let mut told = |what: &str, found: f64| {
            println!("  {kind:?} {what}: {found:.1e}");
            if found > tolerance {
                wrong.push(format!("{name} {kind:?} {what}: {found:e}"));
            }
        };
        whole
            .distances(&expected)
            .into_iter()
            .for_each(|(what, found)| told(what, found));
        told(
            "natural blocks from the whole",
            if whole.equals(&cut) { 0.0 } else { 1.0 },
        );
        if kind == Kind::Double {
            let finest = step(&Net::new(each(still.blocks(&possible).unwrap()), kind), &expected, kind);
            told(
                "finest blocks from the whole",
                if whole.equals(&finest) { 0.0 } else { 1.0 },
            );
        }
        // With dropout and stochastic depth in the file: evaluation knows nothing of them.
        let net = Net::new(vec![usual.natural_blocks()], kind);
        net.load(&with_prefix(&expected, "after."));
        let evaluate = |input: &str| tch::no_grad(|| net.forward(&expected[input].to_kind(kind), Mode::Evaluate, 0));
        told(
            "evaluation with dropout in the file",
            distance(&evaluate("input"), &expected["evaluated"]),
        );
        told(
            "evaluation of few",
            distance(&evaluate("few.input"), &expected["few.output"]),
        );
        let first = tch::no_grad(|| net.forward(&expected["input"].to_kind(kind), Mode::TrainKeepingStatistics, 5));
        let second = tch::no_grad(|| net.forward(&expected["input"].to_kind(kind), Mode::Train, 5));
        told(
            "the second forward from the first",
            if first.equal(&second) { 0.0 } else { 1.0 },
        );
    }
    wrong
}

/// What a step has given.
struct Step {
    output: Tensor,
    gradients: HashMap<String, Tensor>,
    buffers: HashMap<String, Tensor>,
    evaluated: Tensor,
}

fn step(net: &Net, expected: &HashMap<String, Tensor>, kind: Kind) -> Step {
    let input = expected["input"].to_kind(kind);
    // The first forward changes nothing.
    let before = net.buffers();
    let first = tch::no_grad(|| net.forward(&input, Mode::TrainKeepingStatistics, 0));
    for (name, buffer) in net.buffers() {
        assert!(buffer.equal(&before[&name]), "{name}");
    }
    let kept = input.copy();
    let output = net.forward(&input, Mode::Train, 0);
    assert!(output.equal(&first), "the second forward differs from the first");
    assert!(input.equal(&kept), "the input was changed");
    let gradients = net.gradients(&output, &expected["cotangent"].to_kind(kind));
    Step {
        output: output.detach(),
        gradients,
        buffers: net.buffers(),
        evaluated: tch::no_grad(|| net.forward(&input, Mode::Evaluate, 0)),
    }
}

impl Step {
    fn distances(&self, expected: &HashMap<String, Tensor>) -> Vec<(&'static str, f64)> {
        // Relative to the largest number of each; gradients that are nothing but noise beside the others, to those.
        let all = |found: &HashMap<String, Tensor>, prefix: &str, noise: f64| {
            let expected = with_prefix(expected, prefix);
            let size = |tensor: &Tensor| tensor.to_kind(Kind::Double).abs().max().double_value(&[]);
            let least = noise * expected.values().map(size).fold(0.0, f64::max);
            let distances = expected.iter().map(|(name, expected)| match found.get(name) {
                Some(found) => distance(found, expected) * size(expected) / size(expected).max(least).max(1e-30),
                None => panic!("{prefix}{name} is missing"),
            });
            distances.fold(0.0, f64::max)
        };
        let gradients = with_prefix(expected, "grad.");
        let more = self.gradients.keys().find(|name| !gradients.contains_key(*name));
        assert_eq!(more, None, "a gradient that PyTorch does not have");
        vec![
            ("output", distance(&self.output, &expected["output"])),
            ("gradients", all(&self.gradients, "grad.", 1e-3)),
            ("buffers", all(&self.buffers, "after.", 0.0)),
            ("evaluation", distance(&self.evaluated, &expected["evaluated"])),
        ]
    }

    fn equals(&self, other: &Self) -> bool {
        let same = |a: &HashMap<String, Tensor>, b: &HashMap<String, Tensor>| {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, tensor)| b.get(name).is_some_and(|b| b.equal(tensor)))
        };
        self.output.equal(&other.output)
            && same(&self.gradients, &other.gradients)
            && same(&self.buffers, &other.buffers)
            && self.evaluated.equal(&other.evaluated)
    }
}
