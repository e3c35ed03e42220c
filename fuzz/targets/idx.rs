//! IDX files as `mnist` reads them. The first byte says which of the four files the others are, and whether compressed; the
//! other three are right.

#![no_main]

use dtrp_data::{DataSpec, check, detect, open};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = dtrp_fuzz::folder("idx");
    FILES
        .iter()
        .for_each(|name| dtrp_fuzz::write(&folder.join(name), &right(name)));
    folder
});

/// Two images of two by three pixels, or their labels.
fn right(name: &str) -> Vec<u8> {
    if name.contains("images") {
        let header = [[0, 0, 8, 3], [0, 0, 0, 2], [0, 0, 0, 2], [0, 0, 0, 3]].concat();
        return [header, (0..12).collect()].concat();
    }
    vec![0, 0, 8, 1, 0, 0, 0, 2, 3, 9]
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let name = FILES[usize::from(first & 3)];
    let plain = FOLDER.join(name);
    let packed = FOLDER.join(format!("{name}.gz"));
    if first & 4 == 0 {
        dtrp_fuzz::write(&plain, bytes);
    } else {
        let _ = fs::remove_file(&plain);
        dtrp_fuzz::write(&packed, bytes);
    }
    let spec = DataSpec::in_dir("mnist", &*FOLDER);
    let opened = open(&spec);
    if let Ok(split) = &opened {
        for part in [&split.train, &split.test] {
            let mut image = vec![0; part.shape().len()];
            for index in [0, part.len() - 1] {
                assert!(part.get(index, &mut image).unwrap() < 10);
            }
        }
    }
    if first & 8 != 0 {
        // All that is wrong, and not only the first: it is wrong for both or for neither.
        let found = check(&spec, 1).map(|report| report.problems.is_empty());
        assert_eq!(found.unwrap_or(false), opened.is_ok());
        let _ = detect(&FOLDER);
    }
    let _ = fs::remove_file(packed);
    dtrp_fuzz::write(&plain, &right(name));
});
