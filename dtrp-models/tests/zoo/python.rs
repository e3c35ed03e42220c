//! Logits and gradients from torchvision's own initial weights, and weights that move both ways, with a Python that has torch:
//!
//! ```sh
//! DTRP_PYTHON_ORACLE=python3 cargo nextest run -p dtrp-models --test zoo python
//! ```

use crate::torch::{Net, difference};
use dtrp_models::{option_values, weights};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tch::{Kind, Tensor};

/// The Python interpreter to ask, or 1 for `python3`.
const PYTHON: &str = "DTRP_PYTHON_ORACLE";

fn script(arguments: &[&Path], python: &str) -> bool {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/make.py");
    let status = Command::new(python).arg(script).args(arguments).status();
    status
        .unwrap_or_else(|e| panic!("{python} cannot be started: {e}"))
        .success()
}

fn check(name: &str) {
    let python = match std::env::var(PYTHON) {
        Err(_) => {
            println!("{name}: skipped; set {PYTHON} to a Python that has torch and torchvision");
            return;
        }
        Ok(python) if python == "1" => "python3".to_owned(),
        Ok(python) => python,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("theirs.safetensors");
    assert!(script(&[Path::new("full"), Path::new(name), &file], &python));
    let theirs = weights::load(&file).unwrap();
    let state: HashMap<String, Tensor> = theirs
        .iter()
        .filter_map(|(name, tensor)| {
            let name = name.strip_prefix("state.")?;
            Some((name.to_owned(), tensor.shallow_clone()))
        })
        .collect();

    let depth: String = name.chars().skip_while(|c| !c.is_numeric()).collect();
    let depth: usize = depth.split('_').next().unwrap().parse().unwrap();
    let (family, choice) = match name {
        _ if name.starts_with("vgg") => {
            let pairs = [
                ("depth", depth.into()),
                ("batch_norm", name.ends_with("_bn").into()),
                ("dropout", 0.0.into()),
            ];
            ("vgg", option_values(pairs))
        }
        _ if name.starts_with("wide") => ("wide-resnet", option_values([("depth", depth.into())])),
        _ => ("resnet", option_values([("depth", depth.into())])),
    };
    let single = Net::new(family, &choice, Kind::Float);
    single.load(&state);
    let logits_f32 = difference(&single.logits(), &theirs["logits_f32"]);

    // Back: saved by us, PyTorch takes it strictly and computes the same.
    let stored = folder.path().join("ours.safetensors");
    let names = single.names().into_iter().map(|(name, _)| name);
    let buffers = single.module.buffers().map(|(_, tensor)| tensor.shallow_clone());
    let leaves = single.arena.leaves.iter().map(Tensor::shallow_clone);
    let ours: Vec<_> = names.zip(leaves.chain(buffers)).collect();
    weights::save(&stored, &ours, 0).unwrap();
    drop((ours, single));
    let back = [Path::new("check"), Path::new(name), &file, &stored];
    assert!(script(&back, &python), "{name}: PyTorch disagrees");

    let double = Net::new(family, &choice, Kind::Double);
    double.load(&state);
    let logits_f64 = difference(&double.logits(), &theirs["logits_f64"]);
    let (loss, gradients) = double.gradients();
    let loss_difference = (loss - theirs["loss"].double_value(&[0])).abs();
    let (mut worst, mut largest) = (0.0f64, 0.0f64);
    for (parameter, gradient) in &gradients {
        let apart = difference(gradient, &theirs[&format!("gradient.{parameter}")].view(-1));
        assert!(apart < 1e-10, "{name}: gradient of {parameter}: {apart:e}");
        worst = worst.max(apart);
        largest = largest.max(gradient.abs().max().double_value(&[]));
    }
    assert!(largest > 1e-3, "{name}: there are no gradients");
    println!(
        "{name}: logits {logits_f32:.1e} (f32) {logits_f64:.1e} (f64), loss {loss_difference:.1e}, gradients {worst:.1e}"
    );
    assert!(logits_f32 < 1e-5, "{name}: f32 logits: {logits_f32:e}");
    assert!(logits_f64 < 1e-10, "{name}: f64 logits: {logits_f64:e}");
    assert!(loss_difference < 1e-10, "{name}: loss: {loss_difference:e}");
}

macro_rules! models {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*
    };
}

models! {
    vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn
    resnet18 resnet34 resnet50 resnet101 resnet152 wide_resnet50_2 wide_resnet101_2
}
