//! Image files of every kind that is read (JPEG, PNG, BMP, PPM, PGM, TIFF, WebP), decoded and brought to a size as training
//! does, in colour and in grey. Whatever size a header declares, `-rss_limit_mb` and `-malloc_limit_mb` bound what it takes.

#![no_main]

use dtrp_data::{DataSpec, Dataset, ImageShape, open};
use dtrp_fuzz::{choice, folder, make, write};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

/// The one image, and the sets that read it: the middle of it in colour, and all of it in grey.
static SETS: LazyLock<(PathBuf, [Arc<dyn Dataset>; 2])> = LazyLock::new(|| {
    let root = folder("images");
    for part in ["train", "test"] {
        make(&root.join(part).join("class"));
        write(
            &root.join(part).join("class/image.png"),
            include_bytes!("../../dtrp-data/tests/images/grey.png"),
        );
    }
    let set = |shape| DataSpec::in_dir("image-folder", &root).shape(shape);
    let colour = open(&set(ImageShape::new(3, 8, 8))).unwrap();
    let grey = open(&set(ImageShape::new(1, 6, 9)).option("resize", 12)).unwrap();
    (root.join("train/class/image.png"), [colour.train, grey.train])
});

fuzz_target!(|bytes: &[u8]| {
    let (path, sets) = &*SETS;
    write(path, &with_checksums(bytes));
    let set = &sets[choice(bytes, 2) as usize];
    let mut image = vec![0; set.shape().len()];
    let _ = set.get(0, &mut image);
});

/// A PNG with the right checksums in its chunks, which random changes hardly ever hit; anything else as it is.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 8;
    while bytes.starts_with(b"\x89PNG") {
        let Some(length) = bytes.get(at..at + 4) else {
            break;
        };
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let Some(body) = bytes.get(at + 4..at + 8 + length) else {
            break;
        };
        let sum = crc(body).to_be_bytes();
        let Some(stored) = bytes.get_mut(at + 8 + length..at + 12 + length) else {
            break;
        };
        stored.copy_from_slice(&sum);
        at += 12 + length;
    }
    bytes
}

/// CRC-32 as PNG has it, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}
