//! How many images a second does the loader make of JPEG and PNG files, with one thread and with two?
//!
//! The images are made here, in a temporary folder: photographs' sizes with detail at every scale, as decoding costs what there is
//! to decode. `large` is what training on ImageNet asks for (500x375 to 3x224x224, random resized crops and flips), `small` what
//! CIFAR as an image folder asks for (32x32, crops and flips).

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dtrp_data::random::Stream;
use dtrp_data::{DataSpec, Dataset, ImageShape, Loader, LoaderOptions, open};
use image::{ImageFormat, Rgb, RgbImage};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A kind of folder, and how it is trained on.
struct Case {
    name: &'static str,
    format: ImageFormat,
    /// Width and height of the files.
    stored: (u32, u32),
    /// What they are brought to.
    side: usize,
    augment: &'static str,
    files: usize,
}

const CASES: [Case; 3] = [
    Case {
        name: "large JPEG",
        format: ImageFormat::Jpeg,
        stored: (500, 375),
        side: 224,
        augment: "random-resized-crop,flip",
        files: 64,
    },
    Case {
        name: "small JPEG",
        format: ImageFormat::Jpeg,
        stored: (32, 32),
        side: 32,
        augment: "crop-flip",
        files: 1024,
    },
    Case {
        name: "small PNG",
        format: ImageFormat::Png,
        stored: (32, 32),
        side: 32,
        augment: "crop-flip",
        files: 1024,
    },
];

/// Noise in blocks of 64, 16, 4 and 1 pixels, the coarser the stronger, as in photographs.
fn picture(number: u64, (width, height): (u32, u32)) -> RgbImage {
    let layers = [(64, 4), (16, 3), (4, 2), (1, 1)].map(|(block, weight)| {
        let columns = width.div_ceil(block);
        let mut noise = vec![0; (columns * height.div_ceil(block) * 3) as usize];
        Stream::new(number, "bench", 0, block.into()).fill(&mut noise);
        (block, columns, weight, noise)
    });
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(std::array::from_fn(|channel| {
            let levels = layers.iter().map(|(block, columns, weight, noise)| {
                let at = ((y / block) * columns + x / block) as usize;
                u32::from(noise[3 * at + channel]) * weight
            });
            (levels.sum::<u32>() / 10) as u8
        }))
    })
}

fn make(root: &Path, case: &Case) -> Arc<dyn Dataset> {
    for (part, files) in [("train", case.files), ("test", 1)] {
        let folder = root.join(part).join("class");
        fs::create_dir_all(&folder).expect("a temporary folder can be written");
        for number in 0..files {
            let picture = picture(number as u64, case.stored);
            let path = folder.join(format!("{number}.jpg"));
            picture
                .save_with_format(path, case.format)
                .expect("a picture can be written");
        }
    }
    let spec = DataSpec::in_dir("image-folder", root).shape(ImageShape::new(3, case.side, case.side));
    open(&spec).expect("the folder is whole").train
}

/// One epoch after the other, as in training, with nobody using the batches.
fn decode(c: &mut Criterion) {
    for case in CASES {
        let root = tempfile::tempdir().expect("there is a temporary folder");
        let set = make(root.path(), &case);
        let mut group = c.benchmark_group(case.name);
        group.throughput(Throughput::Elements(case.files as u64));
        for threads in [1, 2] {
            let options = LoaderOptions {
                batch_size: 32,
                threads,
                augment: case.augment.parse().expect("it is an augmentation"),
                ..LoaderOptions::default()
            };
            let loader = Loader::new(Arc::clone(&set), options).expect("the options fit");
            let mut epoch = 0;
            group.bench_function(BenchmarkId::new("threads", threads), |b| {
                b.iter(|| {
                    epoch += 1;
                    for batch in loader.epoch(epoch, 0) {
                        loader.recycle(batch.expect("every image can be decoded"));
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(5));
    targets = decode
}
criterion_main!(benches);
