//! Files of `cifar10` and `cifar100`, the records and the classes' names. The first byte says which file the others are; the
//! rest of the set is right. (Only the binary version is read.)

#![no_main]

use dtrp_data::{DataSpec, check, open};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

/// Each set with its files, and the label bytes of a record.
const SETS: [(&str, &[&str], usize); 2] = [
    (
        "cifar10",
        &[
            "data_batch_1.bin",
            "test_batch.bin",
            "batches.meta.txt",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
        ],
        1,
    ),
    ("cifar100", &["train.bin", "test.bin", "fine_label_names.txt"], 2),
];

static FOLDERS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    SETS.map(|(set, files, labels)| {
        let folder = dtrp_fuzz::folder(set);
        for name in files {
            dtrp_fuzz::write(&folder.join(name), &right(name, labels));
        }
        folder
    })
});

/// One record, or as many names as there are classes.
fn right(name: &str, labels: usize) -> Vec<u8> {
    if name.ends_with(".bin") {
        return vec![7; labels + 3072];
    }
    let classes = if labels == 1 { 10 } else { 100 };
    (0..classes)
        .map(|class| format!("class {class}\n"))
        .collect::<String>()
        .into_bytes()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let set = usize::from(first & 1);
    let (name, files, labels) = SETS[set];
    let folder = &FOLDERS[set];
    let file = files[usize::from(first >> 1 & 3) % 3];
    dtrp_fuzz::write(&folder.join(file), bytes);
    let spec = DataSpec::in_dir(name, folder);
    let opened = open(&spec);
    if let Ok(split) = &opened {
        for part in [&split.train, &split.test] {
            assert_eq!(part.class_names().len(), part.classes());
            let mut image = vec![0; part.shape().len()];
            for index in [0, part.len() - 1] {
                assert!((part.get(index, &mut image).unwrap() as usize) < part.classes());
            }
        }
    }
    if first & 8 != 0 {
        // All that is wrong, and not only the first: it is wrong for both or for neither.
        let found = check(&spec, 1).map(|report| report.problems.is_empty());
        assert_eq!(found.unwrap_or(false), opened.is_ok());
    }
    dtrp_fuzz::write(&folder.join(file), &right(file, labels));
});
