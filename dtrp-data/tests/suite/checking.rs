//! `check` finds everything, `detect` knows the folder.

use crate::image_folders::{make, picture, put};
use crate::support::{contains, message};
use dtrp_data::{DataSpec, check, detect};
use std::fs;
use std::path::Path;

/// `expected`: the end of each problem's path, its offset and a part of its text, in any order.
fn found(spec: &DataSpec, files: usize, expected: &[(&str, Option<u64>, &str)]) {
    let report = check(spec, 2).unwrap();
    assert_eq!(report.files, files, "{report:?}");
    for (path, offset, text) in expected {
        let fits = |problem: &&dtrp_data::DataProblem| {
            problem.path.ends_with(path) && problem.offset == *offset && problem.problem.contains(text)
        };
        assert!(
            report.problems.iter().any(|problem| fits(&problem)),
            "no {path} {offset:?} {text} in {report:#?}"
        );
    }
    assert_eq!(report.problems.len(), expected.len(), "{report:#?}");
}

#[test]
fn every_problem_of_a_cifar_folder_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let record = |label: u8| [vec![label], vec![0; 3072]].concat();
    let good = [record(1), record(2)].concat();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    for number in 1..=5 {
        put(&format!("data_batch_{number}.bin"), &good);
    }
    put("test_batch.bin", &good);
    let spec = DataSpec::in_dir("cifar10", dir.path());
    found(&spec, 6, &[]);
    put(
        "data_batch_1.bin",
        &[record(11), record(1), record(12), vec![1; 10]].concat(),
    );
    put("data_batch_2.bin", &[]);
    fs::remove_file(dir.path().join("data_batch_4.bin")).unwrap();
    put("batches.meta.txt", b"one\n");
    found(
        &spec,
        5,
        &[
            ("data_batch_1.bin", Some(0), "label 11"),
            ("data_batch_1.bin", Some(6146), "label 12"),
            ("data_batch_1.bin", Some(9219), "cut short"),
            ("data_batch_2.bin", Some(0), "empty"),
            ("data_batch_4.bin", None, "not there"),
            ("batches.meta.txt", Some(4), "1 class names"),
        ],
    );
    // No more than twenty of one file.
    put("data_batch_1.bin", &record(99).repeat(50));
    assert_eq!(check(&spec, 1).unwrap().problems.len(), 20 + 3);
    found(
        &DataSpec::in_dir("cifar100", dir.path()),
        0,
        &[("cifar-100-binary", None, "not there")],
    );
}

#[test]
fn every_problem_of_idx_files_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    put(
        "train-images-idx3-ubyte",
        &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 5],
    );
    put("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2, 10, 11]);
    put("t10k-images-idx3-ubyte.gz", b"not gzip at all");
    found(
        &DataSpec::in_dir("mnist", dir.path()),
        3,
        &[
            ("train-images-idx3-ubyte", Some(17), "truncated"),
            ("train-labels-idx1-ubyte", Some(8), "label 0 is 10"),
            ("train-labels-idx1-ubyte", Some(9), "label 1 is 11"),
            ("t10k-images-idx3-ubyte.gz", Some(0), "compressed data is damaged"),
            ("t10k-labels-idx1-ubyte", None, "not there"),
        ],
    );
}

#[test]
fn every_problem_of_an_image_folder_is_found() {
    let root = tempfile::tempdir().unwrap();
    make(root.path());
    let spec = DataSpec::in_dir("image-folder", root.path());
    found(&spec, 6, &[]);
    let jpeg = picture(image::ImageFormat::Jpeg, 8, 8, [1; 3]);
    put(root.path().join("train/blue/2.jpg"), &jpeg[..jpeg.len() - 2]);
    put(root.path().join("train/red/b.jpg"), b"");
    put(root.path().join("val/blue/y.png"), b"no png");
    put(root.path().join("val/green/y.png"), b"no png");
    let end = Some(jpeg.len() as u64 - 2);
    found(
        &spec,
        7,
        &[
            ("train/blue/2.jpg", end, "truncated"),
            ("train/red/b.jpg", Some(0), "empty"),
            ("val/blue/y.png", Some(0), "neither JPEG nor PNG"),
            (
                "train/green",
                None,
                "val/green is a class to test on that has none to train on",
            ),
        ],
    );
}

/// Counts and moments do not depend on the number of threads, and good samples beside bad ones are counted.
#[test]
fn what_is_there_is_counted() {
    let root = tempfile::tempdir().unwrap();
    make(root.path());
    let spec = DataSpec::in_dir("image-folder", root.path());
    let report = check(&spec, 1).unwrap();
    for threads in 2..5 {
        assert_eq!(check(&spec, threads).unwrap(), report);
    }
    let [train, test] = &report.parts[..] else {
        panic!("{report:?}");
    };
    let counts = |blue, red| vec![("blue".to_string(), blue), ("red".to_string(), red)];
    assert_eq!((train.samples, &train.classes), (5, &counts(3, 2)));
    assert_eq!((test.samples, &test.classes), (1, &counts(1, 0)));
    // The one test image: the left half has the colour, the right half has half of it, rounded down.
    for (channel, level) in [30.0, 20.0, 200.0].into_iter().enumerate() {
        let (left, right) = (level / 255.0, level / 2.0 / 255.0);
        assert!((test.mean[channel] - (left + right) / 2.0).abs() < 1e-12);
        assert!((test.std[channel] - (left - right) / 2.0).abs() < 1e-9);
    }
    put(root.path().join("train/red/b.jpg"), b"GIF89a");
    let report = check(&spec, 2).unwrap();
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.parts[0].classes, counts(3, 1));

    let folder = tempfile::tempdir().unwrap();
    let record = |label: u8, level: u8| [vec![label], vec![level; 3072]].concat();
    for number in 1..=5 {
        let records = [record(number, 0), record(9, 255)].concat();
        fs::write(folder.path().join(format!("data_batch_{number}.bin")), records).unwrap();
    }
    fs::write(folder.path().join("test_batch.bin"), record(3, 51)).unwrap();
    let report = check(&DataSpec::in_dir("cifar10", folder.path()), 3).unwrap();
    let train = &report.parts[0];
    assert_eq!(train.classes[9], ("truck".to_string(), 5));
    assert_eq!((&train.mean, &train.std), (&vec![0.5; 3], &vec![0.5; 3]));
    assert_eq!(report.parts[1].mean, [0.2; 3]);
}

#[test]
fn sets_without_files_have_no_problems_and_wrong_specs_are_errors() {
    found(&DataSpec::new("digits"), 0, &[]);
    contains(&message(check(&DataSpec::new("digit"), 1)), &["did you mean `digits`"]);
    contains(&message(check(&DataSpec::new("mnist"), 1)), &["`dir` is missing"]);
    found(
        &DataSpec::in_dir("mnist", "/nowhere"),
        0,
        &[("/nowhere", None, "not there")],
    );
}

#[test]
fn folders_are_recognised() {
    let check = |inner: &str, file: &str, name: &str| {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path().join(inner).join(file), b"");
        for folder in [dir.path(), &dir.path().join(inner)] {
            assert_eq!(detect(folder).unwrap(), DataSpec::in_dir(name, folder));
        }
    };
    check("cifar-10-batches-bin", "test_batch.bin", "cifar10");
    check("cifar-100-binary", "train.bin", "cifar100");
    check("mnist", "t10k-labels-idx1-ubyte.gz", "mnist");
    check("fashion-mnist", "t10k-labels-idx1-ubyte.gz", "fashion-mnist");
    check("FashionMNIST/raw", "train-images-idx3-ubyte", "fashion-mnist");
    check("", "train/cat/1.jpg", "image-folder");
    contains(&message(detect(Path::new("/nowhere"))), &["/nowhere"]);
}
