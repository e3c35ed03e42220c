//! CIFAR binary folders, whole and broken.

use crate::support::{all, contains, message};
use dtrp_data::{DataError, DataSpec, check, open};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

const CIFAR10: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
const CIFAR100: [&str; 2] = ["train.bin", "test.bin"];

/// Records whose pixels count up from `start`.
fn records(labels: &[&[u8]], start: u8) -> Vec<u8> {
    let record = |(number, labels): (usize, &&[u8])| {
        let pixels = (0..3072).map(move |at| (at + number) as u8 ^ start);
        labels.iter().copied().chain(pixels).collect::<Vec<_>>()
    };
    labels.iter().enumerate().flat_map(record).collect()
}

/// Two records in each file of CIFAR-10.
fn write_cifar10(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (number, file) in CIFAR10.iter().enumerate() {
        fs::write(folder.join(file), records(&[&[number as u8], &[9]], number as u8)).unwrap();
    }
}

#[test]
fn both_sets_are_read_from_their_folder_or_its_parent() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("cifar-10-batches-bin");
    write_cifar10(&folder);
    for dir in [parent.path(), &folder] {
        let set = open(&DataSpec::in_dir("cifar10", dir)).unwrap();
        let labels: Vec<_> = all(&set.train).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]);
        assert_eq!(all(&set.test)[1].1, 9);
        assert_eq!(all(&set.train)[3].0, records(&[&[1], &[9]], 1)[3073 + 1..]);
        assert_eq!(set.train.class_names()[9], "truck");
    }
    fs::write(folder.join("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
    assert_eq!(
        open(&DataSpec::in_dir("cifar10", &folder)).unwrap().test.class_names()[9],
        "j"
    );

    let folder = parent.path().join("cifar-100-binary");
    fs::create_dir(&folder).unwrap();
    for file in CIFAR100 {
        fs::write(folder.join(file), records(&[&[19, 99], &[0, 42]], 5)).unwrap();
    }
    for dir in [parent.path(), &folder] {
        let set = open(&DataSpec::in_dir("cifar100", dir)).unwrap();
        assert_eq!(
            all(&set.train).iter().map(|(_, label)| *label).collect::<Vec<_>>(),
            [99, 42]
        );
        assert_eq!(all(&set.test)[0].0, records(&[&[19, 99]], 5)[2..]);
        assert_eq!(set.train.classes(), 100);
    }
}

/// One file of a good folder is replaced; the error must name it, the offset and the problem.
#[test]
fn broken_files_are_named_with_the_offset() {
    let good = records(&[&[1], &[2], &[3]], 0);
    let bad_label = |record: usize| {
        let mut bytes = good.clone();
        bytes[record * 3073] = 10 + record as u8;
        bytes
    };
    for (file, bytes, offset, problem) in [
        ("data_batch_3.bin", good[..0].to_vec(), "byte 0:", "empty"),
        ("test_batch.bin", good[..1].to_vec(), "byte 0:", "1 of 3073 bytes"),
        ("data_batch_1.bin", good[..3072].to_vec(), "byte 0:", "3072 of 3073"),
        ("data_batch_1.bin", good[..3074].to_vec(), "byte 3073:", "1 of 3073"),
        ("data_batch_5.bin", good[..9000].to_vec(), "byte 6146:", "2854 of 3073"),
        ("data_batch_2.bin", bad_label(0), "byte 0:", "record 0 has label 10"),
        ("test_batch.bin", bad_label(2), "byte 6146:", "record 2 has label 12"),
        ("batches.meta.txt", b"cat\ndog\n".to_vec(), "byte 8:", "2 class names"),
        ("batches.meta.txt", b"ca\xfft\n".to_vec(), "byte 2:", "not UTF-8"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_cifar10(folder.path());
        fs::write(folder.path().join(file), bytes).unwrap();
        contains(
            &message(open(&DataSpec::in_dir("cifar10", folder.path()))),
            &[file, offset, problem],
        );
    }
}

#[test]
fn coarse_labels_are_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.bin"), records(&[&[0, 1], &[20, 1]], 0)).unwrap();
    fs::write(folder.path().join("test.bin"), records(&[&[0, 1]], 0)).unwrap();
    contains(
        &message(open(&DataSpec::in_dir("cifar100", folder.path()))),
        &["train.bin", "byte 3074:", "label 20"],
    );
}

#[test]
fn absent_things_say_what_to_do() {
    contains(
        &message(open(&DataSpec::new("cifar10"))),
        &["`dir` is missing", "set `data.dir`", "cifar-10-batches-bin"],
    );
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    contains(
        &message(open(&DataSpec::in_dir("cifar10", &absent))),
        &["absent is not there", "dtrp data fetch cifar10"],
    );
    contains(
        &message(open(&DataSpec::in_dir("cifar100", folder.path()))),
        &["cifar-100-binary is not there", "train.bin"],
    );
    for file in CIFAR10 {
        write_cifar10(folder.path());
        fs::remove_file(folder.path().join(file)).unwrap();
        contains(
            &message(open(&DataSpec::in_dir("cifar10", folder.path()))),
            &[file, "not there", "incomplete"],
        );
    }
    write_cifar10(folder.path());
    fs::remove_file(folder.path().join("test_batch.bin")).unwrap();
    fs::create_dir(folder.path().join("test_batch.bin")).unwrap();
    let result = open(&DataSpec::in_dir("cifar10", folder.path()));
    assert!(matches!(result, Err(DataError::Io { .. })), "{result:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the bytes are: an error or a set whose samples can all be read.
    #[test]
    fn any_bytes_are_read_or_refused(
        fine: bool,
        length in prop::sample::select(vec![0, 1, 2, 3072, 3073, 3074, 6146, 6148, 9219]),
        labels in prop::collection::vec(0..24u8, 3),
        names in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let (name, files, record) =
            if fine { ("cifar100", &CIFAR100[..], 3074) } else { ("cifar10", &CIFAR10[..], 3073) };
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![0; length];
        for (record, label) in bytes.chunks_mut(record).zip(labels) {
            record[0] = label;
        }
        for file in files {
            fs::write(folder.path().join(file), &bytes).unwrap();
        }
        if let Some(names) = names {
            fs::write(folder.path().join("batches.meta.txt"), names).unwrap();
        }
        let spec = DataSpec::in_dir(name, folder.path());
        let (set, report) = (open(&spec), check(&spec, 1).unwrap());
        prop_assert_eq!(set.is_ok(), report.problems.is_empty(), "{:?}", report);
        if let Ok(set) = set {
            prop_assert_eq!(all(&set.test).len(), length / record);
            prop_assert!(all(&set.train).iter().all(|(_, label)| (*label as usize) < set.train.classes()));
        }
    }
}

/// With `DTRP_CIFAR10_DIR` set to a real copy: sizes, balance, names and the normalisation
/// constants.
#[test]
fn real_cifar10() {
    let Some(dir) = std::env::var_os("DTRP_CIFAR10_DIR") else {
        return;
    };
    let set = open(&DataSpec::in_dir("cifar10", dir)).unwrap();
    assert_eq!((set.train.len(), set.test.len()), (50_000, 10_000));
    let names = "airplane automobile bird cat deer dog frog horse ship truck";
    assert_eq!(set.train.class_names().join(" "), names);
    let mut counts = [0; 10];
    let mut sums = [(0.0, 0.0); 3];
    let mut image = vec![0; 3072];
    for index in 0..set.train.len() {
        counts[set.train.get(index, &mut image).unwrap() as usize] += 1;
        for (sum, channel) in sums.iter_mut().zip(image.chunks(1024)) {
            let (mut first, mut second) = (0u32, 0u32);
            for &pixel in channel {
                first += u32::from(pixel);
                second += u32::from(pixel).pow(2);
            }
            sum.0 += f64::from(first);
            sum.1 += f64::from(second);
        }
    }
    assert_eq!(counts, [5000; 10]);
    let pixels = 50_000.0 * 1024.0;
    for (channel, (first, second)) in sums.into_iter().enumerate() {
        let mean = first / pixels;
        let std = (second / pixels - mean * mean).sqrt();
        let normalization = set.train.normalization();
        // A copy may have been through JPEG: near, not equal.
        assert!((f64::from(normalization.mean[channel]) - mean / 255.0).abs() < 2e-3);
        assert!((f64::from(normalization.std[channel]) - std / 255.0).abs() < 5e-3);
    }
}
