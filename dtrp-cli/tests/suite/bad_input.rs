//! Bad input gets one clear error and its exit code, and leaves no folder behind.

use crate::support::{Place, TINY};

fn check(place: &Place, sets: &[&str], code: i32, says: &[&str]) {
    let ran = place.train(&[TINY, sets].concat());
    assert_eq!(ran.code, code, "{sets:?}: {}", ran.stderr);
    for part in says {
        assert!(ran.stderr.contains(part), "{sets:?}: {}\nwanted: {part}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert!(!place.file("runs").exists(), "{sets:?} left a folder");
}

#[test]
fn usage() {
    let place = Place::new();
    for args in [&["fly"][..], &["train", "--fast"], &["train", "--set", "nonsense"], &[]] {
        let ran = place.dtrp(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn configuration() {
    let place = Place::new();
    check(
        &place,
        &["optimizer.momentom=1"],
        3,
        &["unknown key optimizer.momentom; did you mean optimizer.momentum?"],
    );
    check(
        &place,
        &["optimizer.lr=fast"],
        3,
        &["--set optimizer.lr=fast: optimizer.lr is `fast`, but must be a number"],
    );
    check(
        &place,
        &["data.batch_size=0"],
        3,
        &["data.batch_size is 0, but must be at least 1"],
    );
    std::fs::write(place.file("a.yaml"), "run: {epochs: many}").unwrap();
    let ran = place.dtrp(&["train", "--config", "a.yaml"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr
            .contains("a.yaml: run.epochs is `many`, but must be a whole number"),
        "{}",
        ran.stderr
    );
    let ran = place.dtrp(&["train", "--config", "missing.yaml"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("missing.yaml: cannot be read"), "{}", ran.stderr);
}

#[test]
fn data() {
    let place = Place::new();
    check(
        &place,
        &["data.name=cifar11"],
        3,
        &["unknown data set `cifar11` (did you mean `cifar10`?)"],
    );
    check(
        &place,
        &["data.name=cifar10", "data.dir=nowhere"],
        4,
        &["nowhere", "is not there"],
    );
    check(&place, &["data.augment=flipp"], 3, &["flipp", "did you mean `flip`?"]);
    check(
        &place,
        &["data.classes=3"],
        3,
        &["data set `digits` has no option `classes`", "remove it"],
    );
    let folder = place.file("cifar");
    std::fs::create_dir(&folder).unwrap();
    for batch in 1..=5 {
        std::fs::write(folder.join(format!("data_batch_{batch}.bin")), vec![1; 3073 * 2]).unwrap();
    }
    std::fs::write(folder.join("test_batch.bin"), vec![1; 3073 + 100]).unwrap();
    check(
        &place,
        &["data.name=cifar10", "data.dir=cifar"],
        4,
        &["test_batch.bin: byte 3073"],
    );
}

#[test]
fn model_method_and_cuts() {
    let place = Place::new();
    check(&place, &["method.modules=99"], 5, &["5 blocks", "99 modules"]);
    check(&place, &["method.cuts=[9]"], 5, &["[9]", "2 modules of 5 blocks"]);
    check(&place, &["method.name=dtrq"], 5, &["unknown method `dtrq`"]);
    check(
        &place,
        &["method.order=sweep"],
        5,
        &["no order `sweep`", "lockstep, eager"],
    );
    check(&place, &["method.order=sideways"], 5, &["method.order", "sideways"]);
    check(
        &place,
        &["method.name=bp", "method.micro_batches=2"],
        5,
        &["micro-batches"],
    );
    check(
        &place,
        &["data.limit=33", "method.micro_batches=4"],
        5,
        &["last batch", "method.micro_batches = 4"],
    );
    check(
        &place,
        &["model.name=resnet-cifer"],
        5,
        &["did you mean `resnet-cifar`?"],
    );
    check(&place, &["model.dept=8"], 5, &["no option `dept`"]);
    check(&place, &["model.depth=9"], 5, &["`depth` is 9"]);
    check(&place, &["method.predictor=momentun"], 5, &["did you mean `momentum`?"]);
    check(
        &place,
        &["model.init_from=nowhere.safetensors"],
        5,
        &["nowhere.safetensors", "cannot be read"],
    );
}

#[test]
fn devices() {
    let place = Place::new();
    check(&place, &["run.device=cuda:99"], 6, &["device cuda:99 is not available"]);
    check(
        &place,
        &["run.device=tpu"],
        3,
        &["device tpu is not available", "cpu and cuda:N"],
    );
    check(&place, &["run.device=[cpu, cuda:x]"], 3, &["device cuda:x"]);
}

#[test]
fn plug_ins() {
    let place = Place::new();
    check(&place, &["method.predictor={plugin: ./nowhere.so}"], 8, &["nowhere.so"]);
}

#[test]
fn a_folder_that_cannot_be_written() {
    let place = Place::new();
    std::fs::write(place.file("taken"), "").unwrap();
    check(&place, &["run.dir=taken"], 9, &["taken: cannot make the folder"]);
}

#[test]
fn diverging_keeps_the_last_good_weights() {
    let place = Place::new();
    place.tiny("start", &["run.max_steps=1", "optimizer.lr=0"]);
    let sets = [
        "run.name=a",
        "optimizer.lr=1e30",
        "run.epochs=3",
        "optimizer.weight_decay=0",
    ];
    let ran = place.train(&[TINY, &sets].concat());
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    for part in [
        "diverged",
        "epoch 1, step ",
        "(worker 2)",
        "weights from before the first epoch",
        "smaller optimizer.lr",
    ] {
        assert!(ran.stderr.contains(part), "{}\nwanted: {part}", ran.stderr);
    }
    let summary = place.summary("a");
    assert_eq!(summary["end"], "diverged");
    assert!(summary["final_test_accuracy"].is_null());
    // The weights are those that the run started with.
    let sets = [
        "run.name=b",
        "optimizer.lr=0",
        "run.max_steps=1",
        "model.init_from=runs/a/weights.safetensors",
    ];
    assert_eq!(place.train(&[TINY, &sets].concat()).code, 0);
    assert_eq!(
        place.summary("b")["final_train_loss"],
        place.summary("start")["final_train_loss"]
    );
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_run_in_good_order() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let place = Place::new();
    let mut args = vec!["train", "--name", "a"];
    args.extend(TINY.iter().flat_map(|set| ["--set", set]));
    args.extend(["--set", "run.epochs=100000", "--set", "run.progress=plain"]);
    let mut child = place
        .command(&args)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Once the first epoch is told, the run is under way.
    assert!(lines.by_ref().any(|line| line.unwrap().starts_with("epoch ")));
    // SAFETY: sends a signal to the child, which is alive: it has 100,000 epochs to go and has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let told: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last = told.last().unwrap();
    assert!(
        last.starts_with("error: interrupted in epoch ") && last.contains("weights after epoch "),
        "{last}"
    );
    let summary = place.summary("a");
    assert_eq!(
        (&summary["interrupted"], &summary["end"]),
        (&true.into(), &"interrupted".into())
    );
    assert!(summary["final_test_accuracy"].is_number());
    let ran = place.train(&[TINY, &["run.epochs=1", "model.init_from=runs/a/weights.safetensors"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
