//! Dropout inside networks: both forwards of a batch see one mask, wherever the network is cut.

use dtrp_core::torch::{Arena, BlockSpec, Mode, Module, Pass};
use dtrp_models::{ModelInput, build, option_values};
use tch::{Device, Kind, Tensor};

const INPUT: ModelInput = ModelInput {
    channels: 3,
    height: 32,
    width: 32,
    classes: 5,
};

/// Blocks with dropout, the number of the first in its network, and the shape of what they take.
struct Piece {
    blocks: Vec<BlockSpec>,
    first: usize,
    input: [i64; 4],
}

/// A small WideResNet, and the second and third layer of VGG's classifier.
fn pieces() -> [Piece; 2] {
    let wide = option_values([("depth", 10.into()), ("width", 1.into()), ("dropout", 0.3.into())]);
    let wide = build("wide-resnet-cifar", &wide, &INPUT).unwrap();
    let vgg = build("vgg", &option_values([("depth", 11.into())]), &INPUT).unwrap();
    let mut vgg = vgg.blocks;
    let first = vgg.len() - 2;
    [
        Piece {
            blocks: wide.blocks,
            first: 0,
            input: [3, 3, 32, 32],
        },
        Piece {
            blocks: vgg.split_off(first),
            first,
            input: [3, 4096, 1, 1],
        },
    ]
}

/// Logits of three samples by the blocks cut into modules below those numbers.
fn logits(piece: Piece, cuts: &[usize], mode: Mode, seed: u64, batch: u64) -> Tensor {
    let pass = Pass {
        mode,
        seed,
        batch,
        block: 0,
    };
    let Piece {
        mut blocks,
        first,
        input,
    } = piece;
    tch::no_grad(|| {
        let count = input.iter().product::<i64>();
        let mut activation = Tensor::linspace(-1, 1, count, (Kind::Float, Device::Cpu)).view(input);
        if input[2] == 1 {
            activation = activation.flatten(1, -1);
        }
        let mut modules = Vec::new();
        for start in cuts.iter().rev().copied().chain([0]) {
            modules.push((first + start, blocks.split_off(start)));
        }
        for (start, blocks) in modules.into_iter().rev() {
            let module = Module::new(blocks, start, Kind::Float, Device::Cpu).unwrap();
            let arena = Arena::zeros(module.layout(), module.options()).unwrap();
            fill(&arena);
            [activation] = module.forward(&arena, &[activation], pass).unwrap().try_into().unwrap();
        }
        activation
    })
}

/// Weights that are quick to make and do not depend on the cuts.
fn fill(arena: &Arena) {
    for leaf in &arena.leaves {
        let values = Tensor::arange(leaf.numel() as i64, (Kind::Float, Device::Cpu)).sin() * 0.1;
        leaf.detach().copy_(&values.view_as(leaf));
    }
}

#[test]
fn the_mask_is_that_of_seed_block_and_batch() {
    for index in 0..pieces().len() {
        let piece = || pieces().into_iter().nth(index).unwrap();
        let base = logits(piece(), &[], Mode::Train, 1, 2);
        let same = logits(piece(), &[1], Mode::TrainKeepingStatistics, 1, 2);
        assert!(base.equal(&same), "first of two forwards, in two modules");
        for (what, seed, batch) in [("seed", 2, 2), ("batch", 1, 3)] {
            let other = logits(piece(), &[], Mode::Train, seed, batch);
            assert!(!base.equal(&other), "other {what}");
        }
        let moved = Piece {
            first: piece().first + 1,
            ..piece()
        };
        let other = logits(moved, &[], Mode::Train, 1, 2);
        assert!(!base.equal(&other), "other block");
        let evaluate = |seed, batch| logits(piece(), &[], Mode::Evaluate, seed, batch);
        assert!(evaluate(1, 2).equal(&evaluate(2, 3)), "evaluation draws nothing");
    }
}
