//! What PyTorch and NumPy make of exported weights.
//!
//! These tests need a Python with torch 2.11, torchvision, safetensors, NumPy and Pillow, which `DTRP_PEERS_PYTHON` names.

use crate::support::{Place, Ran};
use image::{Rgb, RgbImage};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// The page with the loader that is tested.
const PAGE: &str = include_str!("../../../docs/models.md");

/// What a Python program prints, in the place's folder.
fn python(place: &Place, program: &str) -> String {
    let python = std::env::var_os("DTRP_PEERS_PYTHON").expect("DTRP_PEERS_PYTHON names a Python with torch");
    let mut command = Command::new(python);
    command.args(["-c", program]).current_dir(place.path());
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout
}

/// The program on the page under `<!-- file: NAME -->`.
fn on_the_page(name: &str) -> String {
    let (_, rest) = PAGE.split_once(&format!("<!-- file: {name} -->\n```python\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// A network of torchvision's, trained for some steps on pictures of 64 x 64 pixels, and one of the pictures.
fn trained(model: &str) -> Place {
    let place = Place::new();
    train(&place, model);
    place
}

fn train(place: &Place, model: &str) {
    for part in ["train", "test"] {
        for (label, class) in ["a", "b", "c"].into_iter().enumerate() {
            let folder = place.file("photos").join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..8u32 {
                let picture = RgbImage::from_fn(64, 64, |x, y| {
                    let level = |of: u32| ((x * (3 + of) + y * 7 + number * 29 + of * 80) % 200) as u8;
                    let mut pixel = [level(0), level(1), level(2)];
                    pixel[label] = pixel[label].saturating_add(55);
                    Rgb(pixel)
                });
                picture.save(folder.join(format!("{number}.png"))).unwrap();
            }
        }
    }
    fs::copy(place.file("photos/test/b/3.png"), place.file("image.png")).unwrap();
    let ran = place.train(&[
        model,
        "data={name: image-folder, dir: photos, shape: [3, 64, 64], batch_size: 8, augment: none}",
        "optimizer.lr=0.01",
        "run.epochs=2",
        "run.name=a",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// What `dtrp predict` gives for the picture.
fn logits(place: &Place, run: &[&str]) -> Vec<f64> {
    let ran = place.dtrp(&[&["predict"], run, &["image.png", "--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let predicted: Value = serde_json::from_str(&ran.stdout).unwrap();
    serde_json::from_value(predicted["images"][0]["logits"].clone()).unwrap()
}

/// The largest difference, over the largest logit.
fn apart(ours: &[f64], theirs: &str) -> f64 {
    let theirs: Vec<f64> = theirs.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(ours.len(), theirs.len());
    let largest = ours.iter().fold(0.0f64, |largest, logit| largest.max(logit.abs()));
    let pairs = ours.iter().zip(&theirs);
    pairs.fold(0.0f64, |apart, (a, b)| apart.max((a - b).abs())) / largest
}

#[test]
#[ignore = "needs Python packages: cargo xtask test --peers"]
fn peers_pytorch_computes_the_same_logits() {
    let loader = on_the_page("load.py");
    for (model, theirs) in [
        ("model={name: resnet, depth: 18}", "resnet18"),
        ("model={name: vgg, depth: 11, batch_norm: true, dropout: 0}", "vgg11_bn"),
    ] {
        let place = trained(model);
        for dtype in ["f32", "bf16", "f16"] {
            let ran = place.dtrp(&["export", "runs/a", "-o", "exported.safetensors", "--dtype", dtype]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            let ours = logits(&place, &["exported.safetensors", "--config", "runs/a/config.yaml"]);
            let program = loader.replace("resnet18(num_classes=10)", &format!("{theirs}(num_classes=3)"));
            assert_ne!(program, loader);
            let apart = apart(&ours, &python(&place, &program));
            println!("{theirs}, weights in {dtype}: logits apart by {apart:.1e} of the largest");
            assert!(apart <= 1e-5, "{theirs} {dtype}: {apart:e}");
        }
    }
}

/// An exported network is trained, with a head for other classes, and written back: PyTorch loads it, with the run's weights, and it
/// computes what the network with these weights does.
#[test]
#[ignore = "needs Python packages: cargo xtask test --peers"]
fn peers_pytorch_loads_exported_networks_back() {
    let place = Place::new();
    let export = r#"
import torch, torchvision
from torch.export import Dim
net = torchvision.models.resnet18().train()
x = torch.randn(2, 3, 64, 64)
torch.export.save(torch.export.export(net, (x,), dynamic_shapes=({0: Dim("batch", min=2)},)), "net.pt2")
"#;
    python(&place, export);
    train(&place, "model={name: exported, file: net.pt2}");
    let ran = place.dtrp(&["export", "runs/a", "-o", "back.pt2"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let check = r#"
import torch, torchvision
from safetensors.torch import load_file
weights = load_file("runs/a/weights.safetensors")
program = torch.export.load("back.pt2")
assert set(program.state_dict) == set(weights)
assert all(torch.equal(program.state_dict[name], weights[name]) for name in weights)
net = torchvision.models.resnet18(num_classes=3).train()
net.load_state_dict(weights, strict=True)
x = torch.randn(5, 3, 64, 64)
print((program.module()(x) - net(x)).abs().max().item())
"#;
    assert_eq!(python(&place, check).trim(), "0.0");
}

#[test]
#[ignore = "needs Python packages: cargo xtask test --peers"]
fn peers_numpy_reads_every_tensor() {
    let place = Place::new();
    place.tiny("a", &[]);
    for dtype in ["f32", "f16", "f64"] {
        for file in ["a.npz", "a.safetensors"] {
            let ran = place.dtrp(&["export", "runs/a", "-o", file, "--dtype", dtype]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        }
        let told = python(
            &place,
            "import numpy
from safetensors import safe_open
from safetensors.numpy import load_file
one, other = numpy.load('a.npz'), load_file('a.safetensors')
assert sorted(one.keys()) == sorted(other.keys())
for name, tensor in other.items():
    assert one[name].dtype == tensor.dtype and one[name].shape == tensor.shape, name
    assert (one[name] == tensor).all(), name
print(safe_open('a.safetensors', 'np').metadata()['format'], len(other), one['conv1.weight'].dtype)",
        );
        let kind = dtype.replace('f', "float");
        assert!(told.starts_with("pt ") && told.trim_end().ends_with(&kind), "{told}");
    }
}
