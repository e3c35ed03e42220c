//! A run that is interrupted, written to files, read and gone on with is the same run, bit for bit; and what a checkpoint can be
//! used for beside that.

use crate::support::settings;
use dtrp_train::schedule::{Method, Order};
use dtrp_train::{
    Checkpoint, EpochReport, Event, Keeper, Newest, Result, StepReport, Stop, TrainError, Trainer, Training, Why,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tch::Tensor;

type Changes = Vec<(&'static str, Value)>;

/// What came of a run, or of a part of it.
#[derive(Default)]
struct Came {
    steps: Vec<StepReport>,
    epochs: Vec<EpochReport>,
    checkpoints: Vec<Checkpoint>,
}

impl Came {
    /// What does not depend on the clock.
    fn numbers(&self) -> [Vec<[u64; 4]>; 2] {
        let steps = self.steps.iter();
        let steps = steps.map(|step| [step.step, step.epoch, step.loss.to_bits(), step.lr.to_bits()]);
        let epochs = self.epochs.iter();
        let epochs = epochs.map(|e| {
            [
                e.step,
                e.train_loss.to_bits(),
                e.test_loss.to_bits(),
                e.test_accuracy.to_bits(),
            ]
        });
        [steps.collect(), epochs.collect()]
    }
}

/// Takes note of everything; asks to stop at the steps for which `at` says so.
fn follow(trainer: &mut Trainer, stop: Stop, at: impl Fn(u64) -> bool + Send + 'static) -> Arc<Mutex<Came>> {
    let came = Arc::new(Mutex::new(Came::default()));
    let noted = Arc::clone(&came);
    trainer.on_event(move |event| {
        let mut came = noted.lock().unwrap();
        match event {
            Event::Step(step) => {
                came.steps.push(*step);
                if at(step.step) {
                    stop.request();
                }
            }
            Event::Epoch(epoch) => came.epochs.push(EpochReport::clone(epoch)),
            Event::Checkpoint(checkpoint) => came.checkpoints.push(checkpoint.clone()),
            _ => {}
        }
    });
    came
}

fn training(changes: &Changes) -> Result<Training> {
    Training::from_settings(settings(changes))
}

fn weights(trainer: &Trainer) -> Vec<(String, Tensor)> {
    let mut tensors = trainer.snapshot().unwrap().tensors();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    tensors
}

fn same(what: &str, a: &[(String, Tensor)], b: &[(String, Tensor)]) {
    assert_eq!(a.len(), b.len(), "{what}");
    for ((name, a), (other, b)) in a.iter().zip(b) {
        assert_eq!(name, other);
        assert!(a.equal(b), "{what}: {name} differs");
    }
}

/// Trains to the end, stopped at each of these steps, every time through files and a new trainer. Returns what came of it all.
fn interrupted(changes: &Changes, stops: &[u64], folder: &Path) -> (Vec<(String, Tensor)>, Came) {
    let mut all = Came::default();
    let mut from: Option<Checkpoint> = None;
    for round in 0..=stops.len() {
        let stop = Stop::new();
        let mut training = training(changes).unwrap().stop(&stop);
        if let Some(checkpoint) = &from {
            training = training.resume(checkpoint);
        }
        let mut trainer = training.build().unwrap();
        let at = stops.get(round).copied();
        let came = follow(&mut trainer, stop, move |step| Some(step) == at);
        let result = trainer.fit();
        let came = std::mem::take(&mut *came.lock().unwrap());
        // What was told after the place of the checkpoint would be told again.
        all.steps.extend(&came.steps);
        all.epochs.extend(came.epochs);
        match result {
            Ok(_) => return (weights(&trainer), all),
            Err(TrainError::Stopped(_)) => {}
            Err(error) => panic!("{changes:?}: {error}"),
        }
        let last = came.checkpoints.last().unwrap();
        assert_eq!(last.state().why, Why::Stop);
        let path = folder.join(format!("{round}"));
        last.write(&path).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(read.state().position, last.state().position);
        assert_eq!(all.steps.last().unwrap().step, read.state().results.told);
        from = Some(read);
    }
    panic!("{changes:?}: the run did not come to its end");
}

fn uninterrupted(changes: &Changes) -> (Vec<(String, Tensor)>, Came) {
    let mut trainer = training(changes).unwrap().build().unwrap();
    let came = follow(&mut trainer, Stop::new(), |_| false);
    trainer.fit().unwrap();
    let came = std::mem::take(&mut *came.lock().unwrap());
    (weights(&trainer), came)
}

/// Six batches of eight an epoch, two epochs.
fn base() -> Changes {
    vec![
        ("data.batch_size", json!(8)),
        ("data.augment", json!("crop:1")),
        ("run.epochs", json!(2)),
        ("model.depth", json!(4)),
    ]
}

fn check(changes: Changes, stops: &[u64]) {
    let folder = tempfile::tempdir().unwrap();
    let (expected, whole) = uninterrupted(&changes);
    let (found, parts) = interrupted(&changes, stops, folder.path());
    let what = format!("{changes:?}, stopped at {stops:?}");
    same(&what, &found, &expected);
    assert_eq!(parts.numbers(), whole.numbers(), "{what}");
}

fn orders(method: &Method) -> impl Iterator<Item = Order> {
    method.orders.iter().copied()
}

#[test]
fn every_method_in_every_order_goes_on_with_the_same_bits() {
    for method in Method::all() {
        for (number, order) in orders(method).enumerate() {
            for modules in [1, 3] {
                let mut changes = base();
                changes.push(("method.name", json!(method.name)));
                changes.push(("method.order", json!(order)));
                changes.push(("method.modules", json!(modules)));
                if method.flushes || (modules == 3 && method.micro_batches) {
                    changes.push(("method.micro_batches", json!(2)));
                }
                // In the middle of an epoch, near its end, and early in the next.
                let stops: [u64; 3] = [[2, 5, 9], [1, 6, 7], [3, 4, 11]][(number + modules) % 3];
                check(changes, &stops);
            }
        }
    }
}

#[test]
fn whatever_is_kept_between_batches_is_kept() {
    let more: [Changes; 9] = [
        vec![("optimizer.name", json!("adam"))],
        vec![("optimizer.name", json!("adamw")), ("method.predictor", json!("adam"))],
        vec![
            ("optimizer.nesterov", json!(true)),
            ("method.predictor", json!("difference")),
        ],
        vec![
            ("method.predictor", json!("adaptive")),
            ("method.probe_every", json!(1)),
        ],
        vec![("method.spike", json!(true)), ("method.predictor", json!("none"))],
        vec![
            ("optimizer.momentum", json!(0.0)),
            ("method.predictor", json!("difference")),
        ],
        vec![("method.name", json!("fdg")), ("method.accumulate", json!(2))],
        vec![("run.dtype", json!("f64")), ("run.executor", json!("sequential"))],
        vec![
            ("run.channels_last", json!(true)),
            ("optimizer.schedule.warmup_epochs", json!(1.5)),
        ],
    ];
    for changes in more {
        for modules in [2, 4] {
            let mut all = base();
            all.push(("method.modules", json!(modules)));
            all.extend(changes.clone());
            check(all, &[3, 4, 8]);
        }
    }
}

#[test]
fn checkpoints_change_nothing() {
    let (expected, whole) = uninterrupted(&base());
    let mut changes = base();
    changes.push(("checkpoint.every_steps", json!(1)));
    changes.push(("checkpoint.every_epochs", json!(1)));
    let (found, parts) = uninterrupted(&changes);
    same("with a checkpoint after every batch", &found, &expected);
    assert_eq!(parts.numbers(), whole.numbers());
    let kept: Vec<_> = parts.checkpoints.iter().map(|c| (c.step(), c.state().why)).collect();
    let mut steps: Vec<u64> = kept.iter().map(|(step, _)| *step).collect();
    steps.dedup();
    assert_eq!(steps, (1..=12).collect::<Vec<_>>());
    assert_eq!(kept.last(), Some(&(12, Why::End)));
    // From each of them the run ends the same.
    for checkpoint in &parts.checkpoints {
        let mut trainer = training(&base()).unwrap().resume(checkpoint).build().unwrap();
        trainer.fit().unwrap();
        same(&format!("{checkpoint:?}"), &weights(&trainer), &expected);
    }
}

#[test]
fn time_makes_them_due() {
    let mut changes = base();
    changes.push(("checkpoint.every_minutes", json!(1e-9)));
    let (found, came) = uninterrupted(&changes);
    same("with as many checkpoints as may be", &found, &uninterrupted(&base()).0);
    let minutes = came.checkpoints.iter().filter(|c| c.state().why == Why::Minutes);
    assert!(minutes.count() > 4);
    // And no more often than they are: in one long epoch too.
    let rare: Changes = vec![
        ("run.epochs", json!(1)),
        ("data.limit", json!(1200)),
        ("data.batch_size", json!(4)),
        ("checkpoint.every_minutes", json!(0.1 / 60.0)),
    ];
    let (_, came) = uninterrupted(&rare);
    let minutes = came
        .checkpoints
        .iter()
        .filter(|c| c.state().why == Why::Minutes)
        .count();
    let most = came.epochs[0].seconds / 0.1;
    assert!(
        minutes > 0 && (minutes as f64) <= most,
        "{minutes} in {most} tenths of a second"
    );
    let mut off = base();
    off.push(("checkpoint.keep_last", json!(0)));
    assert!(uninterrupted(&off).1.checkpoints.is_empty());
}

/// Stopped in the middle, in flight, at the end of an epoch and while it evaluates; without files and another trainer.
#[test]
fn a_trainer_that_was_stopped_goes_on() {
    let more: [Changes; 4] = [
        vec![("method.modules", json!(3))],
        vec![
            ("method.modules", json!(3)),
            ("method.order", json!("eager")),
            ("checkpoint.keep_last", json!(0)),
        ],
        vec![
            ("method.name", json!("spectrain")),
            ("method.modules", json!(3)),
            ("method.micro_batches", json!(2)),
            ("run.executor", json!("sequential")),
        ],
        vec![("method.name", json!("fdg")), ("checkpoint.every_steps", json!(2))],
    ];
    for changes in more {
        let changes = [base(), changes].concat();
        let (expected, whole) = uninterrupted(&changes);
        let stop = Stop::new();
        let mut trainer = training(&changes).unwrap().stop(&stop).build().unwrap();
        let came = follow(&mut trainer, stop.clone(), |step| [2, 3, 6, 10].contains(&step));
        let mut stops = 0;
        while let Err(error) = trainer.fit() {
            assert!(matches!(error, TrainError::Stopped(_)), "{changes:?}: {error}");
            stop.take_back();
            stops += 1;
            // Looking changes nothing.
            trainer.evaluate().unwrap();
        }
        assert!(stops >= 3, "{changes:?}: {stops}");
        same(&format!("{changes:?}"), &weights(&trainer), &expected);
        let came = came.lock().unwrap();
        assert_eq!(came.numbers(), whole.numbers(), "{changes:?}");
    }
}

/// A checkpoint after so many batches of [`base`] with changes.
fn after(changes: &Changes, step: u64) -> Checkpoint {
    let stop = Stop::new();
    let mut trainer = training(changes).unwrap().stop(&stop).build().unwrap();
    let came = follow(&mut trainer, stop, move |told| told == step);
    assert!(matches!(trainer.fit(), Err(TrainError::Stopped(_))));
    let came = came.lock().unwrap();
    came.checkpoints.last().unwrap().clone()
}

#[test]
fn another_pipeline_takes_up_the_weights() {
    let mut four = base();
    four.push(("method.modules", json!(4)));
    let checkpoint = after(&four, 5);
    let mut bp = base();
    bp.extend([("method.name", json!("bp")), ("method.modules", json!(2))]);
    for changes in [base(), bp] {
        let mut trainer = training(&changes).unwrap().resume(&checkpoint).build().unwrap();
        // Nothing is lost: parameters and statistics are those of the checkpoint.
        let folder = tempfile::tempdir().unwrap();
        checkpoint.write(folder.path().join("c")).unwrap();
        let file = folder.path().join("c/model.safetensors");
        let loaded = dtrp_train::models::weights::load(&file).unwrap();
        for (name, tensor) in weights(&trainer) {
            assert!(tensor.equal(&loaded[&name]), "{name}");
        }
        let came = follow(&mut trainer, Stop::new(), |_| false);
        let last = trainer.fit().unwrap();
        assert_eq!((last.epoch, last.step), (2, 12));
        // From the first batch that not every module had trained on.
        let first = came.lock().unwrap().steps[0].step;
        assert_eq!(first, checkpoint.step() + 1);
    }
}

#[test]
fn a_run_that_has_ended_is_trained_longer() {
    let (_, came) = uninterrupted(&base());
    let last = came.checkpoints.last().unwrap();
    let mut longer = base();
    longer.retain(|(key, _)| *key != "run.epochs");
    longer.push(("run.epochs", json!(3)));
    let mut trainer = training(&longer).unwrap().resume(last).build().unwrap();
    let report = trainer.fit().unwrap();
    assert_eq!((report.epoch, report.step), (3, 18));
    // As it is, there is nothing left to do.
    let mut trainer = training(&base()).unwrap().resume(last).build().unwrap();
    assert_eq!(trainer.fit().unwrap().step, 12);
    let mut shorter = base();
    shorter.push(("run.max_steps", json!(7)));
    let error = training(&shorter).unwrap().resume(last).build().err().unwrap();
    assert!(error.to_string().contains("over after 7"), "{error}");
}

#[test]
fn another_run_is_refused() {
    let checkpoint = after(&base(), 4);
    for (key, value) in [
        ("run.seed", json!(9)),
        ("data.batch_size", json!(12)),
        ("model.width", json!(8)),
        ("optimizer.name", json!("adam")),
        ("run.dtype", json!("f64")),
    ] {
        let mut changes = base();
        changes.push((key, value));
        let error = training(&changes).unwrap().resume(&checkpoint).build().err().unwrap();
        let message = error.to_string();
        assert!(
            message.contains(key) && message.contains("model.init_from"),
            "{message}"
        );
    }
}

#[test]
fn damaged_ones_are_told_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut changes = base();
    changes.push(("checkpoint.every_steps", json!(5)));
    let mut trainer = training(&changes).unwrap().build().unwrap();
    trainer.subscribe(Keeper::new(folder.path(), 9, 0));
    trainer.fit().unwrap();
    let names = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["latest", "step-00000005", "step-00000010", "step-00000012"]);
    let newest = folder.path().join("step-00000012");
    assert_eq!(
        folder.path().join("latest").canonicalize().unwrap(),
        newest.canonicalize().unwrap()
    );
    for file in ["model", "optimizer", "predictor", "flight"] {
        let file = newest.join(format!("{file}.safetensors"));
        let whole = std::fs::read(&file).unwrap();
        let mut other = whole.clone();
        *other.last_mut().unwrap() ^= 1;
        for (bytes, says) in [
            (&whole[..whole.len() - 1], "truncated or damaged"),
            (&other, "checksum"),
        ] {
            std::fs::write(&file, bytes).unwrap();
            let error = Checkpoint::read(&newest).unwrap_err().to_string();
            assert!(
                error.contains(says) && error.contains(&*file.to_string_lossy()),
                "{error}"
            );
        }
        std::fs::remove_file(&file).unwrap();
        let error = Checkpoint::read(&newest).unwrap_err().to_string();
        assert!(error.contains("is missing"), "{error}");
        std::fs::write(&file, whole).unwrap();
        Checkpoint::read(&newest).unwrap();
    }
    let state = newest.join("state.json");
    let text = std::fs::read_to_string(&state).unwrap();
    for (text, says) in [
        (text[..text.len() / 2].to_owned(), "damaged"),
        (text.replace("\"version\": 1", "\"version\": 2"), "take a newer dtrp"),
        ("{}".to_owned(), "not that of a dtrp checkpoint"),
    ] {
        std::fs::write(&state, text).unwrap();
        let error = Checkpoint::read(&newest).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let found = Newest::of(folder.path());
    assert_eq!(found.wrong.len(), 1);
    assert_eq!(found.found.unwrap().0.step(), 10);
    let error = Checkpoint::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no state.json"), "{error}");
}

#[test]
fn the_newest_and_the_best_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut changes = base();
    changes.retain(|(key, _)| *key != "run.epochs");
    changes.extend([
        ("run.epochs", json!(8)),
        ("checkpoint.every_epochs", json!(1)),
        ("checkpoint.keep_last", json!(1)),
        ("checkpoint.keep_best", json!(2)),
    ]);
    let mut trainer = training(&changes).unwrap().build().unwrap();
    trainer.subscribe(Keeper::new(folder.path(), 1, 2));
    let came = follow(&mut trainer, Stop::new(), |_| false);
    trainer.fit().unwrap();
    let mut best: Vec<(f64, u64)> = came
        .lock()
        .unwrap()
        .epochs
        .iter()
        .map(|e| (e.test_accuracy, e.step))
        .collect();
    best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut expected: Vec<u64> = best[..2].iter().map(|(_, step)| *step).chain([48]).collect();
    expected.sort_unstable();
    expected.dedup();
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut steps: Vec<u64> = names
        .filter_map(|name| name.strip_prefix("step-")?.parse().ok())
        .collect();
    steps.sort_unstable();
    assert_eq!(steps, expected);
}
