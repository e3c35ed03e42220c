//! Logits and gradients against the fixtures that `fixtures/make.py small` wrote, with weights that both sides draw.

use crate::torch::{Net, difference, draw};
use dtrp_models::OptionValues;
use std::collections::HashMap;
use std::path::PathBuf;
use tch::{Kind, Tensor};

/// Models that take long or much memory are compared when this variable is set.
const ALL: &str = "DTRP_ALL_ORACLES";
const LARGE: u64 = 40_000_000;

fn check(name: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let fixture: serde_json::Value = serde_json::from_str(&text).unwrap();
    if fixture["parameters"].as_u64().unwrap() > LARGE && std::env::var_os(ALL).is_none() {
        println!("{name}: large, skipped; set {ALL}=1 to compare it");
        return;
    }
    let options: OptionValues = serde_json::from_value(fixture["options"].clone()).unwrap();
    let family = fixture["family"].as_str().unwrap();
    let numbers = |key: &str| -> Tensor {
        let values: Vec<f64> = serde_json::from_value(fixture[key].clone()).unwrap();
        Tensor::from_slice(&values)
    };

    let single = Net::new(family, &options, Kind::Float);
    let weights: HashMap<String, Tensor> = single
        .names()
        .into_iter()
        .map(|(name, shape)| {
            let values = weights(&name, &shape);
            (name, values)
        })
        .collect();
    single.load(&weights);
    let logits_f32 = difference(&single.logits(), &numbers("logits_f32"));
    drop(single);
    let double = Net::new(family, &options, Kind::Double);
    double.load(&weights);
    drop(weights);
    let logits_f64 = difference(&double.logits(), &numbers("logits_f64"));

    let (loss, gradients) = double.gradients();
    let loss_difference = (loss - fixture["loss"].as_f64().unwrap()).abs();
    let expected = fixture["gradients"].as_object().unwrap();
    assert_eq!(gradients.len(), expected.len(), "{name}: parameters");
    let mut worst: f64 = 0.0;
    for (parameter, gradient) in gradients {
        let [norm, product]: [f64; 2] = serde_json::from_value(expected[&parameter].clone()).unwrap();
        let flat = gradient.contiguous().view(-1);
        let other: Vec<f64> = draw(&format!("{parameter}#"), flat.numel()).collect();
        let ours = [
            flat.norm().double_value(&[]),
            flat.dot(&Tensor::from_slice(&other)).double_value(&[]),
        ];
        let scale = norm.max(1.0);
        let apart = (ours[0] - norm).abs().max((ours[1] - product).abs()) / scale;
        assert!(apart < 1e-10, "{name}: gradient of {parameter}: {apart:e}");
        worst = worst.max(apart);
    }
    println!(
        "{name}: logits {logits_f32:.1e} (f32) {logits_f64:.1e} (f64), loss {loss_difference:.1e}, gradients {worst:.1e}"
    );
    assert!(logits_f32 < 1e-5, "{name}: f32 logits: {logits_f32:e}");
    assert!(logits_f64 < 1e-10, "{name}: f64 logits: {logits_f64:e}");
    assert!(loss_difference < 1e-10, "{name}: loss: {loss_difference:e}");
}

/// Weights as the script draws them.
fn weights(name: &str, shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    let fan: i64 = shape[1..].iter().product();
    let scale = (0.5 * (6.0 / fan as f64).log2()).round().exp2();
    let change = |v: f64| match shape.len() {
        1 if name.ends_with("running_var") => v / 4.0 + 1.0,
        1 if name.ends_with("weight") => v / 4.0 + 0.75,
        1 => v / 8.0,
        _ => v * scale,
    };
    let values: Vec<f32> = draw(name, count).map(|v| change(v) as f32).collect();
    Tensor::from_slice(&values).view(shape)
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
    resnet18_cifar resnet50_cifar vgg16_bn_cifar wrn16_4
}
