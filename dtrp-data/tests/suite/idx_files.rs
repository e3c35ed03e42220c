//! MNIST's file format, whole and broken, plain and compressed.

use crate::support::{all, contains, message};
use dtrp_data::{DataSpec, ImageShape, check, open};
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::Path;

fn idx(sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Three training and two test images of 2×3 pixels.
fn files() -> [(&'static str, Vec<u8>); 4] {
    [
        ("train-images-idx3-ubyte", idx(&[3, 2, 3], &(0..18).collect::<Vec<_>>())),
        ("train-labels-idx1-ubyte", idx(&[3], &[4, 0, 9])),
        (
            "t10k-images-idx3-ubyte",
            idx(&[2, 2, 3], &(100..112).collect::<Vec<_>>()),
        ),
        ("t10k-labels-idx1-ubyte", idx(&[2], &[1, 2])),
    ]
}

fn write(folder: &Path, pack: bool, spelling: impl Fn(&str) -> String) {
    fs::create_dir_all(folder).unwrap();
    for (name, bytes) in files() {
        let (name, bytes) = if pack {
            (format!("{name}.gz"), gzip(&bytes))
        } else {
            (name.to_string(), bytes)
        };
        fs::write(folder.join(spelling(&name)), bytes).unwrap();
    }
}

#[test]
fn every_usual_place_and_spelling_is_read() {
    for (name, inner, pack, dot) in [
        ("mnist", "", false, false),
        ("mnist", "", true, false),
        ("mnist", "mnist", true, true),
        ("mnist", "MNIST/raw", false, true),
        ("fashion-mnist", "FashionMNIST/raw", true, false),
        ("fashion-mnist", "fashion-mnist", false, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let spelling = |name: &str| {
            if dot {
                name.replace("-idx", ".idx")
            } else {
                name.to_string()
            }
        };
        write(&dir.path().join(inner), pack, spelling);
        let set = open(&DataSpec::in_dir(name, dir.path())).unwrap();
        let labels = |part| all(part).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!((labels(&set.train), labels(&set.test)), (vec![4, 0, 9], vec![1, 2]));
        assert_eq!(all(&set.train)[1].0, [6, 7, 8, 9, 10, 11]);
        assert_eq!((set.test.shape(), set.test.classes()), (ImageShape::new(1, 2, 3), 10));
        assert_eq!(set.test.name(), name);
    }
}

/// One file of a good folder is replaced, plain and compressed; the error must name it, the offset
/// and the problem.
#[test]
fn broken_files_are_named_with_the_offset() {
    const IMAGES: &str = "train-images-idx3-ubyte";
    const LABELS: &str = "t10k-labels-idx1-ubyte";
    let images = files()[0].1.clone();
    for (file, bytes, offset, problem) in [
        (IMAGES, vec![], "byte 0:", "empty"),
        (IMAGES, vec![0, 0], "byte 2:", "inside its header"),
        (IMAGES, images[..10].to_vec(), "byte 10:", "inside its header"),
        (IMAGES, images[..20].to_vec(), "byte 20:", "[3, 2, 3] promises 34 bytes"),
        (IMAGES, [&images[..], &[7]].concat(), "byte 34:", "ends here"),
        (IMAGES, vec![0x1f; 40], "byte 0:", "starts with [0, 0, 8, 3]"),
        (IMAGES, files()[1].1.clone(), "byte 3:", "exchanged"),
        (IMAGES, idx(&[3, 0, 3], &[]), "byte 8:", "size 0"),
        (
            IMAGES,
            idx(&[u32::MAX; 3], &[1, 2]),
            "byte 18:",
            "promises far more bytes",
        ),
        (LABELS, idx(&[3], &[1, 2, 3]), "byte 4:", "3 labels for 2 images"),
        (LABELS, idx(&[2], &[1, 10]), "byte 9:", "label 1 is 10"),
        (
            "t10k-images-idx3-ubyte",
            idx(&[2, 3, 2], &[0; 12]),
            "byte 8:",
            "the test images are 1x3x2",
        ),
    ] {
        for pack in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), pack, str::to_string);
            let (name, bytes) = if pack {
                (format!("{file}.gz"), gzip(&bytes))
            } else {
                (file.to_string(), bytes.clone())
            };
            fs::write(dir.path().join(&name), bytes).unwrap();
            contains(
                &message(open(&DataSpec::in_dir("mnist", dir.path()))),
                &[&name, offset, problem],
            );
        }
    }
}

#[test]
fn broken_compression_and_absent_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), true, str::to_string);
    let path = dir.path().join("train-labels-idx1-ubyte.gz");
    let good = fs::read(&path).unwrap();
    let opened = || message(open(&DataSpec::in_dir("mnist", dir.path())));
    for cut in [3, 12, good.len() - 9, good.len() - 1] {
        fs::write(&path, &good[..cut]).unwrap();
        contains(
            &opened(),
            &["train-labels-idx1-ubyte.gz: byte ", "damaged or truncated"],
        );
    }
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&path, flipped).unwrap();
    contains(&opened(), &["train-labels-idx1-ubyte.gz: byte 11:", "damaged"]);
    fs::remove_file(&path).unwrap();
    contains(&opened(), &["train-labels-idx1-ubyte is not there", "incomplete"]);
    fs::create_dir(&path).unwrap();
    contains(&opened(), &["train-labels-idx1-ubyte.gz: cannot "]);
    let empty = tempfile::tempdir().unwrap();
    contains(
        &message(open(&DataSpec::in_dir("mnist", empty.path()))),
        &["not there", "dtrp data fetch mnist"],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the bytes are, plain, damaged before packing or after it: an error or a set whose samples can all be read.
    #[test]
    fn any_bytes_are_read_or_refused(
        file in 0..4usize, pack: bool, before: bool, cut in 0..40usize,
        changes in prop::collection::vec((0..40usize, any::<u8>()), 0..4),
    ) {
        let damage = |bytes: &mut Vec<u8>| {
            bytes.truncate(bytes.len().saturating_sub(cut / 2));
            for (at, value) in &changes {
                if let Some(byte) = bytes.get_mut(*at) {
                    *byte = *value;
                }
            }
        };
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), false, str::to_string);
        let (name, mut bytes) = files()[file].clone();
        let mut path = dir.path().join(name);
        if before || !pack {
            damage(&mut bytes);
        }
        if pack {
            fs::remove_file(&path).unwrap();
            path = dir.path().join(format!("{name}.gz"));
            bytes = gzip(&bytes);
            if !before {
                damage(&mut bytes);
            }
        }
        fs::write(path, bytes).unwrap();
        let spec = DataSpec::in_dir("mnist", dir.path());
        let (set, report) = (open(&spec), check(&spec, 1).unwrap());
        prop_assert_eq!(set.is_ok(), report.problems.is_empty(), "{:?}", report);
        if let Ok(set) = set {
            prop_assert_eq!(all(&set.train).len() + all(&set.test).len(), 5);
        }
    }
}

/// With `DTRP_FASHION_MNIST_DIR` set to a real copy: sizes, balance and the normalisation
/// constants.
#[test]
fn real_fashion_mnist() {
    let Some(dir) = std::env::var_os("DTRP_FASHION_MNIST_DIR") else {
        return;
    };
    let set = open(&DataSpec::in_dir("fashion-mnist", dir)).unwrap();
    assert_eq!(
        (set.train.len(), set.test.len(), set.train.shape()),
        (60_000, 10_000, ImageShape::new(1, 28, 28))
    );
    let (mut counts, mut levels, mut image) = ([0; 10], [0u64; 256], vec![0; 784]);
    for index in 0..set.train.len() {
        counts[set.train.get(index, &mut image).unwrap() as usize] += 1;
        image.iter().for_each(|&pixel| levels[usize::from(pixel)] += 1);
    }
    assert_eq!(counts, [6000; 10]);
    let moment = |power| {
        let terms = levels
            .iter()
            .enumerate()
            .map(|(level, &count)| (level as f64 / 255.0).powi(power) * count as f64);
        terms.sum::<f64>() / (60_000.0 * 784.0)
    };
    let (mean, std) = (moment(1), (moment(2) - moment(1).powi(2)).sqrt());
    let normalization = set.train.normalization();
    assert!((f64::from(normalization.mean[0]) - mean).abs() < 1e-4, "{mean}");
    assert!((f64::from(normalization.std[0]) - std).abs() < 1e-4, "{std}");
}
