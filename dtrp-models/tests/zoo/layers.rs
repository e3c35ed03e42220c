//! Layers by themselves, and what they report.

use dtrp_core::torch::{Arena, Block, BlockSpec, Mode, Module, Pass, Vars};
use dtrp_models::layers::{BatchNorm2d, Conv2d, Linear};
use dtrp_models::{BlockInfo, NormInfo};
use tch::{Device, Kind, TchError, Tensor};

/// A layer as a block.
struct One<F>(F);

impl<F: Fn(&Vars<'_>, &Tensor, &Pass) -> Result<Tensor, TchError> + Send + Sync> Block for One<F> {
    fn forward(&self, vars: &Vars<'_>, x: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        self.0(vars, x, pass)
    }
}

fn convolution(kernel: i64, stride: i64) -> BlockSpec {
    BlockSpec::build("conv", |scope| {
        let conv = Conv2d::new(scope, 2, 3, kernel, stride);
        One(move |vars: &Vars<'_>, x: &Tensor, _: &Pass| conv.forward(vars, x))
    })
}

/// Its output, and its weights.
fn run(spec: BlockSpec, x: &Tensor) -> (Tensor, Vec<Tensor>) {
    let module = Module::new(vec![spec], 0, Kind::Double, Device::Cpu).unwrap();
    let arena = module.initial_arena(1).unwrap();
    let outputs = module.forward(&arena, &[x.shallow_clone()], pass()).unwrap();
    let [output] = outputs.try_into().unwrap();
    (output, weights(&arena))
}

fn weights(arena: &Arena) -> Vec<Tensor> {
    arena.leaves.iter().map(Tensor::detach).collect()
}

fn pass() -> Pass {
    Pass {
        mode: Mode::Train,
        seed: 1,
        batch: 1,
        block: 0,
    }
}

#[test]
fn convolutions_keep_the_size_for_every_kernel() {
    for kernel in 1..=6 {
        for (height, width) in [(7, 7), (8, 6), (6, 9)] {
            let x = Tensor::randn([2, 2, height, width], (Kind::Double, Device::Cpu));
            let (y, weights) = run(convolution(kernel, 1), &x);
            let theirs = x.conv2d_padding::<Tensor>(&weights[0], None, [1, 1], "same", [1, 1], 1);
            assert_eq!(y.size(), [2, 3, height, width], "kernel {kernel}");
            assert!(y.equal(&theirs), "kernel {kernel}, {height} x {width}");
            for stride in [2, 3] {
                let (y, _) = run(convolution(kernel, stride), &x);
                let up = |n: i64| (n + stride - 1) / stride;
                assert_eq!(
                    y.size(),
                    [2, 3, up(height), up(width)],
                    "kernel {kernel}, stride {stride}"
                );
            }
        }
    }
}

#[test]
fn odd_kernels_pad_alike_on_all_sides() {
    for kernel in [1, 3, 5] {
        let x = Tensor::randn([2, 2, 8, 8], (Kind::Double, Device::Cpu));
        let (y, weights) = run(convolution(kernel, 2), &x);
        let theirs = x.conv2d::<Tensor>(&weights[0], None, [2, 2], [kernel / 2; 2], [1, 1], 1);
        assert!(y.equal(&theirs), "kernel {kernel}");
    }
}

#[test]
fn linear_layers_count_every_row() {
    let linear = || {
        BlockSpec::build("linear", |scope| {
            let linear = Linear::torch(scope, 6, 5);
            One(move |vars: &Vars<'_>, x: &Tensor, _: &Pass| linear.forward(vars, x))
        })
    };
    for (shape, rows) in [(vec![6], 1), (vec![7, 6], 7), (vec![4, 7, 6], 28)] {
        let info = BlockInfo::of(&linear(), &shape).unwrap();
        assert_eq!(info.multiply_adds, rows * 6 * 5, "{shape:?}");
    }
}

#[test]
fn norms_tell_how_many_values_they_see() {
    let norm = BlockSpec::build("norm", |scope| {
        let norm = BatchNorm2d::new(&mut scope.sub("layer").sub("bn"), 3);
        One(move |vars: &Vars<'_>, x: &Tensor, pass: &Pass| norm.forward(vars, x, pass))
    });
    for (height, width) in [(1, 1), (4, 3)] {
        let told = NormInfo {
            parameter: "layer.bn.weight".to_owned(),
            values: (height * width) as u64,
        };
        assert_eq!(BlockInfo::of(&norm, &[3, height, width]).unwrap().norms, [told]);
    }
}

#[test]
fn a_block_that_fails_says_so_without_a_stack_of_frames() {
    let error = BlockInfo::of(&convolution(3, 1), &[5, 8, 8]).unwrap_err().to_string();
    assert!(
        error.contains("block `conv` fails on an input of shape [1, 5, 8, 8]"),
        "{error}"
    );
    assert!(
        !error.contains("frame #") && !error.contains("Exception raised"),
        "{error}"
    );
    let error = BlockInfo::of(&convolution(3, 1), &[2, 1 << 30, 1 << 30])
        .unwrap_err()
        .to_string();
    assert!(error.contains("not enough memory to run block `conv`"), "{error}");
}
