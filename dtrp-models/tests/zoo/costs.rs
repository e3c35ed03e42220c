//! Numbers of parameters, multiply-adds, shapes and activation bytes, against published tables and sums by hand.

use crate::built_in;
use dtrp_models::{BlockInfo, ModelInput, OptionValues, build};
use serde_json::json;

fn input(side: usize, classes: usize) -> ModelInput {
    ModelInput {
        channels: 3,
        height: side,
        width: side,
        classes,
    }
}

fn options(value: serde_json::Value) -> OptionValues {
    serde_json::from_value(value).unwrap()
}

fn describe(family: &str, choice: serde_json::Value, side: usize, classes: usize) -> Vec<BlockInfo> {
    let input = input(side, classes);
    let network = build(family, &options(choice), &input).unwrap();
    network.describe(&input).unwrap()
}

#[test]
fn parameters_are_the_published_ones() {
    let vgg = |depth, batch_norm| json!({"depth": depth, "batch_norm": batch_norm});
    let depth = |depth: usize| json!({ "depth": depth });
    // Family, options, side of the image, classes, parameters. He et al. (2016) print 0.27, 0.46, 0.66, 0.85, 1.7 and 19.4
    // million for the CIFAR ResNets, Zagoruyko and Komodakis (2016) 2.7, 8.9 and 36.5 for WRN-16-4, -40-4 and -28-10; the
    // ImageNet numbers are those of torchvision's documentation.
    let table = [
        ("resnet-cifar", depth(20), 32, 10, 269_722),
        ("resnet-cifar", depth(32), 32, 10, 464_154),
        ("resnet-cifar", depth(44), 32, 10, 658_586),
        ("resnet-cifar", depth(56), 32, 10, 853_018),
        ("resnet-cifar", depth(110), 32, 10, 1_727_962),
        ("resnet-cifar", depth(1202), 32, 10, 19_421_274),
        ("resnet", json!({"depth": 18, "stem": "cifar"}), 32, 10, 11_173_962),
        ("resnet", depth(18), 224, 1000, 11_689_512),
        ("resnet", depth(34), 224, 1000, 21_797_672),
        ("resnet", depth(50), 224, 1000, 25_557_032),
        ("resnet", depth(101), 224, 1000, 44_549_160),
        ("resnet", depth(152), 224, 1000, 60_192_808),
        ("wide-resnet", depth(50), 224, 1000, 68_883_240),
        ("wide-resnet", depth(101), 224, 1000, 126_886_696),
        ("vgg", vgg(11, false), 224, 1000, 132_863_336),
        ("vgg", vgg(13, false), 224, 1000, 133_047_848),
        ("vgg", vgg(16, false), 224, 1000, 138_357_544),
        ("vgg", vgg(19, false), 224, 1000, 143_667_240),
        ("vgg", vgg(11, true), 224, 1000, 132_868_840),
        ("vgg", vgg(13, true), 224, 1000, 133_053_736),
        ("vgg", vgg(16, true), 224, 1000, 138_365_992),
        ("vgg", vgg(19, true), 224, 1000, 143_678_248),
        ("wide-resnet-cifar", json!({"depth": 16, "width": 4}), 32, 10, 2_748_890),
        ("wide-resnet-cifar", json!({"depth": 40, "width": 4}), 32, 10, 8_949_210),
        (
            "wide-resnet-cifar",
            json!({"depth": 28, "width": 10}),
            32,
            10,
            36_479_194,
        ),
    ];
    for (family, choice, side, classes, parameters) in table {
        let what = format!("{family} {choice}");
        let network = build(family, &options(choice), &input(side, classes)).unwrap();
        assert_eq!(network.parameters(), parameters, "{what}");
    }
}

#[test]
fn multiply_adds_are_the_published_ones() {
    // torchvision's documentation prints them in billions, with two decimals.
    let table = [
        ("resnet", json!({"depth": 18}), 1.81),
        ("resnet", json!({"depth": 50}), 4.09),
        ("vgg", json!({"depth": 11}), 7.61),
    ];
    for (family, choice, billions) in table {
        let what = format!("{family} {choice}");
        let blocks = describe(family, choice, 224, 1000);
        let sum: u64 = blocks.iter().map(|block| block.multiply_adds).sum();
        let ours = sum as f64 / 1e9;
        assert!((ours - billions).abs() < 0.0151, "{what}: {ours}");
    }
}

#[test]
fn a_network_by_hand() {
    let blocks = describe("tiny", json!({"depth": 2, "width": 4}), 8, 5);
    let names: Vec<_> = blocks.iter().map(|block| block.name.as_str()).collect();
    assert_eq!(names, ["layers.0", "layers.1", "fc"]);
    let shapes: Vec<_> = blocks.iter().map(|b| b.output_shape().to_vec()).collect();
    assert_eq!(shapes, [vec![4, 8, 8], vec![4, 4, 4], vec![5]]);
    let parameters: Vec<_> = blocks.iter().map(|b| b.parameters).collect();
    assert_eq!(parameters, [3 * 4 * 9 + 8, 4 * 4 * 9 + 8, 4 * 5 + 5]);
    let multiply_adds: Vec<_> = blocks.iter().map(|b| b.multiply_adds).collect();
    assert_eq!(multiply_adds, [3 * 4 * 9 * 64, 4 * 4 * 9 * 16, 4 * 5]);
    // The convolution's output, which the normalisation keeps; the ReLU's, which is the block's. The head keeps the mean.
    let bytes: Vec<_> = blocks.iter().map(|b| b.activation_bytes).collect();
    assert_eq!(bytes, [2 * 4 * 64 * 4, 2 * 4 * 16 * 4, (4 + 5) * 4]);
    assert_eq!(blocks[0].output_bytes(), 4 * 64 * 4);
}

#[test]
fn every_family_runs_with_its_defaults_and_ends_in_logits() {
    for family in built_in() {
        let blocks = describe(family.name, json!({}), 32, 7);
        let last = blocks.last().unwrap();
        assert_eq!(last.output_shape(), [7], "{}", family.name);
        assert!(blocks.iter().all(|block| block.activation_bytes > 0), "{}", family.name);
        let mut names: Vec<_> = blocks.iter().map(|block| &block.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), blocks.len(), "{}", family.name);
    }
}
