//! Numbers that are too large are refused before anything is made from them, and by name.

use crate::support::{build, refused, settings};
use dtrp_train::Training;
use serde_json::json;
use std::time::Instant;

#[test]
fn numbers_have_limits() {
    for (key, value) in [
        ("run.epochs", json!(u64::MAX)),
        ("run.max_steps", json!(u64::MAX)),
        ("run.threads_per_worker", json!(1000)),
        ("data.batch_size", json!(u64::MAX)),
        ("data.threads", json!(100_000)),
        ("data.prefetch", json!(u64::MAX)),
        ("method.modules", json!(u64::MAX)),
        ("method.modules", json!(1u64 << 32)),
        ("method.accumulate", json!(u32::MAX)),
        ("method.rescale_epochs", json!(1e308)),
        ("optimizer.lr", json!(1e308)),
        ("optimizer.weight_decay", json!(1e308)),
        ("optimizer.epsilon", json!(1e308)),
        ("optimizer.schedule.gamma", json!(1e308)),
        ("optimizer.schedule.final_lr", json!(1e308)),
        ("optimizer.schedule.warmup_epochs", json!(1e308)),
        ("optimizer.schedule.milestones", json!([1e308])),
    ] {
        let message = refused(&[(key, value)]);
        assert!(message.contains(key) && message.contains("must be"), "{message}");
    }
}

/// Each of these took seconds, minutes, or all the memory.
#[test]
fn modules_and_micro_batches_are_compared_with_what_there_is_first() {
    let start = Instant::now();
    for modules in [1000, 10_000] {
        for more in [
            ("method.name", json!("local")),
            ("method.name", json!("dtrp")),
            ("method.cuts", json!("auto")),
            ("method.batch_compensation", json!({"fill": true})),
        ] {
            let message = refused(&[("method.modules", json!(modules)), more]);
            assert!(message.contains("3 blocks"), "{message}");
        }
        let profiled = Training::from_settings(settings(&[("method.modules", json!(modules))]))
            .unwrap()
            .profile(1);
        assert!(profiled.is_err_and(|error| error.to_string().contains("3 blocks")));
    }
    let message = refused(&[("method.micro_batches", json!(65535)), ("method.name", json!("gpipe"))]);
    assert!(message.contains("method.micro_batches = 65535"), "{message}");
    // One update for a million batches, of which there are three in an epoch.
    let trainer = build(&[("method.name", json!("fdg")), ("method.accumulate", json!(1 << 20))]).unwrap();
    assert_eq!(trainer.length().updates_per_epoch, 1);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn what_does_not_fit_into_memory_is_refused() {
    for (changes, parts) in [
        (
            vec![("data", json!({"name": "synthetic", "shape": [3, 1 << 20, 1 << 20]}))],
            ["shape", "268435456 bytes"],
        ),
        (
            vec![(
                "data",
                json!({"name": "synthetic", "shape": [64, 1024, 1024], "batch_size": 1 << 20, "train_samples": 1 << 30}),
            )],
            ["batch_size", "do not fit into memory"],
        ),
        (vec![("model.width", json!(1 << 20))], ["layers.1", "not enough memory"]),
    ] {
        let message = refused(&changes);
        for part in parts {
            assert!(message.contains(part), "{message}\nwanted: {part}");
        }
    }
}

#[test]
fn factors_that_outgrow_the_weights_are_a_divergence() {
    let changes = [
        ("optimizer.lr", json!(1e38)),
        ("method.modules", json!(3)),
        ("method.order", json!("lockstep")),
        (
            "optimizer.schedule",
            json!({"name": "multi-step", "milestones": [0.3], "gamma": 1e6}),
        ),
        ("optimizer.momentum", json!(0.9)),
    ];
    let error = build(&changes).unwrap().fit().unwrap_err();
    assert!(error.to_string().contains("diverged"), "{error}");
}
