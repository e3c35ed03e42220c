//! Small whole data sets in each format.

use image::{ImageFormat, Rgb, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes a file, and the folders above it.
pub(crate) fn put(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Six files of eight records: labels 0 to 7, all pixels of a record alike and half of the records black, half white.
pub(crate) fn cifar10(folder: &Path) {
    let names = (1..=5).map(|n| format!("data_batch_{n}.bin"));
    for name in names.chain(["test_batch.bin".to_owned()]) {
        put(folder.join(name), &cifar(1));
    }
}

/// Two files of eight records.
pub(crate) fn cifar100(folder: &Path) {
    for name in ["train.bin", "test.bin"] {
        put(folder.join(name), &cifar(2));
    }
}

fn cifar(labels: usize) -> Vec<u8> {
    let record = |n: u8| [vec![n; labels], vec![n % 2 * 255; 3072]].concat();
    (0..8).flat_map(record).collect()
}

/// Four IDX files: 40 images of 28x28 pixels to train on, 8 to test on.
pub(crate) fn idx(folder: &Path) {
    for (part, count) in [("train", 40u8), ("t10k", 8)] {
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28];
        images.extend((0..count).flat_map(|n| [n; 28 * 28]));
        put(folder.join(format!("{part}-images-idx3-ubyte")), &images);
        let mut labels = vec![0, 0, 8, 1, 0, 0, 0, count];
        labels.extend((0..count).map(|n| n % 10));
        put(folder.join(format!("{part}-labels-idx1-ubyte")), &labels);
    }
}

/// The same, compressed.
pub(crate) fn idx_gz(folder: &Path) {
    idx(folder);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        put(path.with_extension("gz"), &gzip(&fs::read(&path).unwrap()));
        fs::remove_file(path).unwrap();
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    packed.finish().unwrap()
}

/// Two classes with 20 images each to train on and 4 to test on; `0.jpg`, `1.png`, `2.jpg` and so on.
pub(crate) fn images(folder: &Path) {
    for (part, count) in [("train", 20), ("test", 4)] {
        for class in 0..2u8 {
            for n in 0..count {
                let (format, name) = match n % 2 {
                    0 => (ImageFormat::Jpeg, "jpg"),
                    _ => (ImageFormat::Png, "png"),
                };
                let image = RgbImage::from_pixel(30 + u32::from(n), 24, Rgb([n, 200 * class, 9]));
                let mut bytes = std::io::Cursor::new(Vec::new());
                image.write_to(&mut bytes, format).unwrap();
                let path = folder.join(format!("{part}/class{class}/{n}.{name}"));
                put(path, bytes.get_ref());
            }
        }
    }
}
