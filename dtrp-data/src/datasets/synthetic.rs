//! `synthetic`: images of any size, shape and number, made on the fly, that a network can learn.
//!
//! Each class has a pattern of 4×4 grey blocks per channel; a sample is the mean of its class's
//! pattern and noise of its own: pixel = ⌊(pattern + noise) / 2⌋, both uniform bytes. Sample `i`
//! has class `i mod classes`. Nothing is stored but the patterns, so a set of a million 3×512×512
//! images takes no memory and costs what the random bytes cost.

use crate::dataset::{Dataset, Normalization, Split, check_get};
use crate::random::Stream;
use crate::shape::ImageShape;
use crate::{DataError, DataSpec, DatasetInfo};
use dtrp_text::{OptionSpec, Options};
use std::ops::RangeInclusive;
use std::sync::Arc;

inventory::submit!(
    DatasetInfo::new(
        "synthetic",
        "made on the fly, of any shape and number; can be learnt",
        &[
            OptionSpec::shape("shape", Some([3, 32, 32]), "the images' shape"),
            OptionSpec::count("classes", 10, 1..=1 << 20, "number of classes"),
            OptionSpec::count("train_samples", 10_000, SAMPLES, "samples to train on"),
            OptionSpec::count("test_samples", 1_000, SAMPLES, "samples to test on"),
            OptionSpec::count(
                "seed",
                0,
                0..=u64::MAX,
                "another seed is another set; the loader's shuffles it"
            ),
        ],
        open,
    )
    .licence("nothing to license: made by dtrp", None)
);

const SAMPLES: RangeInclusive<u64> = 1..=u64::MAX;

/// The most bytes of the patterns of all classes together.
const MOST_PATTERNS: usize = 1 << 30;

/// Blocks along each side of a pattern.
const GRID: usize = 4;

struct Synthetic {
    part: &'static str,
    len: usize,
    shape: ImageShape,
    seed: u64,
    /// One per class: channels × GRID × GRID bytes.
    patterns: Arc<Vec<Vec<u8>>>,
}

fn open(_: &DataSpec, options: &Options<'_>) -> Result<Split, DataError> {
    let shape = ImageShape::from(options.shape("shape"));
    if shape.checked_len().is_none_or(|bytes| bytes == 0) {
        let expected = "[channels, height, width], each at least 1, of images of at most 268435456 bytes";
        return Err(options.invalid("shape", expected).into());
    }
    let (classes, seed) = (options.count("classes"), options.count("seed"));
    let bytes = shape.channels * GRID * GRID;
    if bytes.saturating_mul(classes as usize) > MOST_PATTERNS {
        let expected = "fewer, for images of so many channels: the patterns would not fit into memory";
        return Err(options.invalid("classes", expected).into());
    }
    let patterns = (0..classes).map(|class| {
        let mut pattern = vec![0; bytes];
        Stream::new(seed, "pattern", 0, class).fill(&mut pattern);
        pattern
    });
    let patterns: Arc<Vec<_>> = Arc::new(patterns.collect());
    let part = |part, option| Synthetic {
        part,
        len: options.count(option) as usize,
        shape,
        seed,
        patterns: Arc::clone(&patterns),
    };
    Ok(Split::new(part("train", "train_samples"), part("test", "test_samples")))
}

impl Dataset for Synthetic {
    fn name(&self) -> &str {
        "synthetic"
    }

    fn len(&self) -> usize {
        self.len
    }

    fn shape(&self) -> ImageShape {
        self.shape
    }

    fn classes(&self) -> usize {
        self.patterns.len()
    }

    /// Of the mean of two uniform bytes: mean ½, standard deviation 1 / √24.
    fn normalization(&self) -> Normalization {
        let channels = self.shape.channels;
        Normalization::new(&vec![0.5; channels], &vec![0.2041; channels])
    }

    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        check_get(self, index, image)?;
        let ImageShape { height, width, .. } = self.shape;
        let label = index % self.patterns.len();
        Stream::new(self.seed, self.part, 0, index as u64).fill(image);
        for (row, pixels) in image.chunks_exact_mut(width).enumerate() {
            let (channel, y) = (row / height, row % height);
            let blocks = &self.patterns[label][(channel * GRID + y * GRID / height) * GRID..][..GRID];
            for (x, pixel) in pixels.iter_mut().enumerate() {
                let block = blocks[x * GRID / width];
                *pixel = ((u16::from(*pixel) + u16::from(block)) / 2) as u8;
            }
        }
        Ok(label as u32)
    }
}
