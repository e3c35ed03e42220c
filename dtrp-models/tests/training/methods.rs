//! What every method must compute, whoever executes it.

use crate::run::{Run, assert_same_bits, difference};
use dtrp_core::engine::Executor;
use dtrp_core::schedule::{Method, Order};

/// Every method that this network can be trained with, in every order.
fn variants() -> Vec<(&'static str, Order)> {
    let gradients = Method::all().into_iter().filter(|method| method.gradients);
    gradients
        .flat_map(|method| method.orders.iter().map(|order| (method.name, *order)))
        .collect()
}

#[test]
fn dtrp_on_one_module_is_backpropagation() {
    for seed in 1..=3 {
        let run = |method| Run {
            seed,
            ..Run::new(method, 1)
        };
        assert_same_bits("K=1", &run("dtrp").weights(), &run("bp").weights());
    }
}

#[test]
fn threads_equal_the_one_thread_interpreter() {
    for (method, order) in variants() {
        for modules in 1..=5 {
            for seed in 1..=2 {
                let run = Run {
                    order: Some(order),
                    seed,
                    ..Run::new(method, modules)
                };
                let threads = Run {
                    executor: Executor::Threads,
                    ..run.clone()
                };
                let what = format!("{method} {order} K={modules} seed {seed}");
                assert_same_bits(&what, &run.weights(), &threads.weights());
            }
        }
    }
}

#[test]
fn threads_equal_the_interpreter_with_micro_batches_and_accumulation() {
    for method in Method::all().iter().filter(|m| m.micro_batches) {
        let accumulate = if method.accumulate { 2 } else { 1 };
        let run = Run {
            micro_batches: 3,
            accumulate,
            ..Run::new(method.name, 3)
        };
        let threads = Run {
            executor: Executor::Threads,
            ..run.clone()
        };
        assert_same_bits(method.name, &run.weights(), &threads.weights());
    }
}

#[test]
fn with_learning_rate_zero_everything_equals_backpropagation() {
    for modules in 2..=5 {
        let still = |method, order| {
            Run {
                order,
                rate: 0.0,
                ..Run::new(method, modules)
            }
            .spy()
        };
        let expected = still("bp", None);
        for (method, order) in variants() {
            for (k, (seen, bp)) in still(method, Some(order)).iter().zip(&expected).enumerate() {
                for (what, ours, theirs) in [("y", &seen.outputs, &bp.outputs), ("delta", &seen.deltas, &bp.deltas)] {
                    assert_eq!(ours.len(), theirs.len());
                    for (batch, tensor) in ours {
                        let same = tensor.equal(&theirs[batch]);
                        assert!(
                            same,
                            "{method} {order}: {what} of batch {batch} at module {} of {modules}",
                            k + 1
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn running_statistics_are_updated_once_for_each_batch() {
    for (method, order) in variants() {
        for modules in [2, 3] {
            // With the weights standing still, one update a batch is what backpropagation makes.
            let still = |method, order| {
                Run {
                    order,
                    rate: 0.0,
                    ..Run::new(method, modules)
                }
                .weights()
            };
            let what = format!("{method} {order} K={modules}");
            let (ours, bp) = (still(method, Some(order)), still("bp", None));
            for name in bp.keys().filter(|name| name.contains("running")) {
                assert!(ours[name].equal(&bp[name]), "{what}: {name}");
            }
        }
    }
}

#[test]
fn stored_inputs_are_measured_as_the_program_says() {
    let run = Run {
        batches: 12,
        ..Run::new("dtrp", 3)
    };
    let mut stages = run.stages();
    stages[0].begin(0, Some(run.source()));
    let outcome = run.train(&mut stages);
    let image_batch = 8 * 3 * 8 * 8 * 4;
    let inputs = outcome.report.workers[0].stored_inputs;
    assert_eq!(inputs, 4);
    assert_eq!(
        stages[0].metrics().stored_input_peak_bytes,
        (inputs * image_batch) as u64
    );
    assert_eq!(stages[2].metrics().stored_input_peak_bytes, 0);
    assert_eq!(stages[1].metrics().updates, 12);
}

#[test]
fn prediction_brings_the_two_forwards_together() {
    let gain = |predictor| {
        let run = Run {
            predictor,
            batches: 60,
            rate: 0.01,
            order: Some(Order::Eager),
            ..Run::new("dtrp", 3)
        };
        let mut stages = run.stages();
        stages[0].begin(0, Some(run.source()));
        run.train(&mut stages);
        stages[0].metrics().gain.unwrap()
    };
    let none = gain("none");
    assert_eq!(none.error, 1.0);
    assert!(none.cosine.is_nan());
    let momentum = gain("momentum");
    assert!(momentum.probes > 10);
    assert!(momentum.error < 0.9 && momentum.cosine > 0.5, "{momentum:?}");
}

#[test]
fn ordinary_training_makes_the_methods_differ() {
    // Guards the comparisons above: they would pass if no method did anything.
    let weights = |method| Run::new(method, 3).weights()["conv1.weight"].copy();
    let bp = weights("bp");
    for method in ["dtrp", "dsp", "fdg", "ddg", "features-replay", "spectrain"] {
        assert!(difference(&weights(method), &bp) > 1e-6, "{method}");
    }
    assert!(difference(&weights("dtrp"), &weights("dsp")) > 1e-6);
}
