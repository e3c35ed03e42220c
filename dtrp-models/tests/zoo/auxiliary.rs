//! Auxiliary heads: they fit every family wherever it is cut, and give logits.

use crate::built_in;
use dtrp_core::torch::{Mode, Module, Pass};
use dtrp_models::auxiliary::{self, HeadKind, heads};
use dtrp_models::{ModelInput, OptionValues, build, option_values, split_evenly};
use tch::{Device, Kind, Tensor};

const INPUT: ModelInput = ModelInput {
    channels: 3,
    height: 32,
    width: 32,
    classes: 6,
};

#[test]
fn heads_fit_every_family_at_every_cut() {
    for family in built_in() {
        let network = build(family.name, &OptionValues::new(), &INPUT).unwrap();
        let blocks = network.describe(&INPUT).unwrap();
        // One module for each block: a head at every place.
        let modules = split_evenly(blocks.len(), blocks.len()).unwrap();
        // Of the many alike in deep networks a few.
        let step = blocks.len().div_ceil(6);
        let places: Vec<usize> = (0..blocks.len() - 1).step_by(step).collect();
        for kind in auxiliary::list() {
            let name = kind.name;
            let heads = heads(kind, &blocks, &modules, INPUT.classes);
            assert_eq!(heads.len(), blocks.len() - 1);
            for (index, head) in heads.into_iter().enumerate() {
                assert!(
                    head.params
                        .iter()
                        .all(|p| p.name.starts_with(&format!("auxiliary{}.", index + 1)))
                );
                if !places.contains(&index) {
                    continue;
                }
                let module = Module::new(vec![head], index, Kind::Float, Device::Cpu).unwrap();
                let arena = dtrp_core::torch::Arena::zeros(module.layout(), module.options()).unwrap();
                let mut shape = vec![2];
                shape.extend(blocks[index].output_shape().iter().map(|n| *n as i64));
                let features = Tensor::zeros(shape, module.options());
                let pass = Pass {
                    mode: Mode::Train,
                    seed: 1,
                    batch: 1,
                    block: index,
                };
                let logits = tch::no_grad(|| module.forward(&arena, &[features], pass));
                let what = format!("{name} after {} of {}", blocks[index].name, family.name);
                let [logits] = &logits.unwrap_or_else(|e| panic!("{what}: {e}"))[..] else {
                    panic!("{what}")
                };
                assert_eq!(logits.size(), [2, INPUT.classes as i64], "{what}");
            }
        }
    }
}

#[test]
fn sampled_heads_shrink_upwards_and_follow_the_network() {
    let network = build("resnet-cifar", &option_values([("depth", 20.into())]), &INPUT).unwrap();
    let blocks = network.describe(&INPUT).unwrap();
    let modules = split_evenly(blocks.len(), 4).unwrap();
    let heads = heads(HeadKind::named("sampled").unwrap(), &blocks, &modules, 10);
    let channels = |index: usize| -> Vec<i64> {
        heads[index]
            .params
            .iter()
            .filter(|p| p.shape.len() == 4)
            .map(|p| p.shape[0])
            .collect()
    };
    // Modules are blocks 0-1, 2-4, 5-7, 8-10; stages of 16, 32 and 64 channels start at blocks 1, 4 and 7.
    assert_eq!(channels(0), [16, 32, 64, 64]);
    assert_eq!(channels(1), [32, 64, 64]);
    assert_eq!(channels(2), [64, 64]);
}
