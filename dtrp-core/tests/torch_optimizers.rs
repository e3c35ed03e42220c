//! Optimizers and arenas against plain loops over numbers.
#![cfg(feature = "torch")]

use dtrp_core::torch::{Adam, Arena, ArenaLayout, Init, Optimizer, ParamSpec, Role, Sgd};
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

fn specs(shapes: &[(Vec<i64>, Role)]) -> Vec<ParamSpec> {
    let spec = |(index, (shape, role)): (usize, &(Vec<i64>, Role))| ParamSpec {
        also: Vec::new(),
        name: format!("p{index}"),
        shape: shape.clone(),
        role: *role,
        anew: None,
        init: Init::Constant(0.0),
    };
    shapes.iter().enumerate().map(spec).collect()
}

fn layout(shapes: &[(Vec<i64>, Role)]) -> ArenaLayout {
    ArenaLayout::new(specs(shapes).iter())
}

fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.flatten(0, -1)).unwrap()
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Weight), Just(Role::BiasOrNorm)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Leaves share storage with the flat tensor, start on cache lines, never overlap; weights come first.
    #[test]
    fn an_arena_is_one_flat_tensor(
        shapes in proptest::collection::vec((proptest::collection::vec(1i64..5, 1..4), role()), 1..8)
    ) {
        let layout = layout(&shapes);
        let arena = Arena::zeros(&layout, DOUBLE).unwrap();
        let start = arena.flat.data_ptr() as usize;
        let mut seen = vec![0u32; layout.len()];
        for (leaf, (shape, role)) in arena.leaves.iter().zip(&shapes) {
            prop_assert_eq!(&leaf.size(), shape);
            prop_assert!(leaf.requires_grad() && leaf.is_leaf());
            let offset = (leaf.data_ptr() as usize - start) / 8;
            prop_assert_eq!(offset % 16, 0);
            prop_assert_eq!(offset < layout.weights(), *role == Role::Weight);
            seen[offset..offset + leaf.numel()].iter_mut().for_each(|n| *n += 1);
        }
        prop_assert!(seen.iter().all(|n| *n <= 1));
        let total: usize = arena.leaves.iter().map(Tensor::numel).sum();
        prop_assert_eq!(seen.iter().sum::<u32>() as usize, total);
        let mut flat = arena.flat.shallow_clone();
        let _ = tch::no_grad(|| flat.fill_(3.0));
        prop_assert!(arena.leaves.iter().all(|leaf| values(leaf).iter().all(|v| *v == 3.0)));
    }
}

/// Runs `steps` updates on one weight and one bias with the given gradients, and the same in a plain loop.
fn check(mut optimizer: impl Optimizer, decay_all: bool, mut step: impl FnMut(usize, &mut f64, f64, f64, bool)) {
    let layout = layout(&[(vec![1], Role::Weight), (vec![1], Role::BiasOrNorm)]);
    let flat = Tensor::zeros([layout.len() as i64], DOUBLE);
    let arena = Arena::new(flat, &layout).unwrap();
    let mut weights = arena.flat.shallow_clone();
    let mut gradient = layout.zeros(DOUBLE).unwrap();
    let starts = [0.5, -0.25];
    for (leaf, start) in arena.leaves.iter().zip(starts) {
        let _ = tch::no_grad(|| leaf.shallow_clone().fill_(start));
    }
    let mut plain = starts;
    for u in 0..6 {
        let rate = if u < 3 { 0.1 } else { 0.01 };
        let gradients = [0.3 - 0.2 * u as f64, 0.1 * u as f64 + 0.05];
        for (view, g) in layout.views(&gradient).unwrap().iter_mut().zip(gradients) {
            let _ = view.fill_(g);
        }
        tch::no_grad(|| optimizer.step(&layout, &mut weights, &mut gradient, rate)).unwrap();
        for (index, (w, g)) in plain.iter_mut().zip(gradients).enumerate() {
            step(index, w, g, rate, decay_all || index == 0);
        }
        for (leaf, w) in arena.leaves.iter().zip(plain) {
            assert!(
                (leaf.double_value(&[0]) - w).abs() < 1e-15,
                "update {u}: {} instead of {w}",
                leaf.double_value(&[0])
            );
        }
        // What lies between the parameters stays zero.
        let total: f64 = arena.leaves.iter().map(|leaf| leaf.double_value(&[0])).sum();
        assert!((weights.sum(Kind::Double).double_value(&[]) - total).abs() < 1e-15);
    }
}

#[test]
fn sgd() {
    let decay = 0.05;
    for decay_all in [true, false] {
        for nesterov in [false, true] {
            let mut velocity = [None; 2];
            check(
                Sgd::new()
                    .momentum(0.9)
                    .nesterov(nesterov)
                    .weight_decay(decay)
                    .decay_bias_and_norm(decay_all),
                decay_all,
                |i, w, g, rate, decays| {
                    let g = g + if decays { decay * *w } else { 0.0 };
                    let v = velocity[i].map_or(g, |v: f64| 0.9 * v + g);
                    velocity[i] = Some(v);
                    *w -= rate * if nesterov { g + 0.9 * v } else { v };
                },
            );
        }
        check(
            Sgd::new().weight_decay(decay).decay_bias_and_norm(decay_all),
            decay_all,
            |_, w, g, rate, decays| {
                *w -= rate * (g + if decays { decay * *w } else { 0.0 });
            },
        );
    }
}

#[test]
fn spike_compensation() {
    // Kosson et al.: for μ = 0.9 and D = 3, a = 0.729 and b = 2.71.
    let mut velocity = [0.0; 2];
    check(
        Sgd::new().spike_compensation(3).momentum(0.9),
        true,
        |i, w, g, rate, _| {
            velocity[i] = 0.9 * velocity[i] + g;
            *w -= rate * (0.729 * velocity[i] + 2.71 * g);
        },
    );
}

#[test]
fn adam_and_adamw() {
    let (beta1, beta2, epsilon, decay) = (0.9, 0.99, 1e-8, 0.05);
    for decoupled in [false, true] {
        for decay_all in [true, false] {
            let (mut m, mut v, mut t) = ([0.0; 2], [0.0; 2], [0; 2]);
            let adam = if decoupled { Adam::decoupled() } else { Adam::new() };
            let adam = adam.betas(beta1, beta2).epsilon(epsilon);
            let adam = adam.weight_decay(decay).decay_bias_and_norm(decay_all);
            check(adam, decay_all, |i, w, mut g, rate, decays| {
                if decays && decoupled {
                    *w *= 1.0 - rate * decay;
                } else if decays {
                    g += decay * *w;
                }
                t[i] += 1;
                m[i] = beta1 * m[i] + (1.0 - beta1) * g;
                v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
                let (mean, square) = (m[i] / (1.0 - beta1.powi(t[i])), v[i] / (1.0 - beta2.powi(t[i])));
                *w -= rate * mean / (square.sqrt() + epsilon);
            });
        }
    }
}
