//! Networks that are cut inside their blocks.

use dtrp_core::torch::{Mode, Module, Pass};
use dtrp_models::{ModelError, ModelInput, Network, build, option_values};
use tch::{Device, Kind, Tensor};

const INPUT: ModelInput = ModelInput {
    channels: 3,
    height: 32,
    width: 32,
    classes: 5,
};

/// A small one of every family whose blocks can be cut inside; those with dropout drop.
fn networks() -> Vec<Network> {
    let options = [
        (
            "resnet-cifar",
            option_values([("depth", 8.into()), ("shortcut", "A".into())]),
        ),
        (
            "resnet-cifar",
            option_values([("depth", 8.into()), ("shortcut", "B".into())]),
        ),
        (
            "wide-resnet-cifar",
            option_values([("depth", 10.into()), ("width", 2.into()), ("dropout", 0.3.into())]),
        ),
        ("resnet", option_values([("depth", 18.into())])),
        (
            "resnet",
            option_values([("depth", 50.into()), ("stem", "cifar".into())]),
        ),
        ("wide-resnet", option_values([("depth", 50.into())])),
    ];
    let built = options.map(|(name, options)| build(name, &options, &INPUT).unwrap());
    built.into()
}

fn run(network: Network, input: &Tensor, mode: Mode) -> Tensor {
    let mut activations = vec![input.shallow_clone()];
    for (number, block) in network.blocks.into_iter().enumerate() {
        let module = Module::new(vec![block], number, Kind::Double, Device::Cpu).unwrap();
        let arena = module.initial_arena(3).unwrap();
        let pass = Pass {
            mode,
            seed: 5,
            batch: 7,
            block: 0,
        };
        activations = tch::no_grad(|| module.forward(&arena, &activations, pass)).unwrap();
    }
    let [logits] = activations.try_into().unwrap();
    logits
}

#[test]
fn pieces_of_blocks_compute_what_the_blocks_do() {
    let images = Tensor::linspace(-1, 1, 2 * 3 * 32 * 32, (Kind::Double, Device::Cpu)).view([2, 3, 32, 32]);
    for network in networks() {
        let name = network.name.clone();
        let pieces = network.clone().in_pieces();
        assert_eq!(pieces.parameters(), network.parameters(), "{name}");
        let names = |network: &Network| -> Vec<String> {
            let params = network.blocks.iter().flat_map(|block| &block.params);
            params.map(|param| param.name.clone()).collect()
        };
        assert_eq!(names(&pieces), names(&network), "{name}");
        for mode in [Mode::Train, Mode::Evaluate] {
            let (whole, cut) = (run(network.clone(), &images, mode), run(pieces.clone(), &images, mode));
            assert!(whole.equal(&cut), "{name} {mode:?}");
        }
    }
}

#[test]
fn places_have_names() {
    let network = build("resnet-cifar", &option_values([("depth", 8.into())]), &INPUT).unwrap();
    let places = [
        "layer1.0",
        "layer1.0/conv2",
        "layer2.0",
        "layer2.0/conv2",
        "layer3.0",
        "layer3.0/conv2",
        "head",
    ];
    assert_eq!(network.places(), places);
    let cut = network.clone().cut_inside(&["layer2.0/conv2".to_owned()]).unwrap();
    let names: Vec<&str> = cut.names().collect();
    assert_eq!(
        names,
        ["stem", "layer1.0", "layer2.0", "layer2.0/conv2", "layer3.0", "head"]
    );
    // What crosses is the convolution's output beside the block's input.
    let blocks = cut.describe(&INPUT).unwrap();
    let shapes: Vec<_> = blocks[2].outputs.iter().map(|output| output.shape.clone()).collect();
    assert_eq!(shapes, [[32, 16, 16], [16, 32, 32]]);
    assert_eq!(blocks[2].output_bytes(), (32 * 16 * 16 + 16 * 32 * 32) * 4);
    let error = network.cut_inside(&["layer2.0/conv3".to_owned()]).err().unwrap();
    assert!(matches!(error, ModelError::Unknown(_)));
    assert!(error.to_string().contains("did you mean `layer2.0/conv2`?"), "{error}");
}
