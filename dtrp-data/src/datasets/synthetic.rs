//! `synthetic`: images of any size, shape and number, made on the fly, that a network can learn.
//!
//! Each class has a pattern of 4×4 grey blocks per channel; a sample is the mean of its class's
//! pattern and noise of its own: pixel = ⌊(pattern + noise) / 2⌋, both uniform bytes. Sample `i`
//! has class `i mod classes`. Nothing is stored but the patterns, so a set of a million 3×512×512
//! images takes no memory and costs what the random bytes cost.

use crate::dataset::{Dataset, ImageShape, Normalization, Split, check_get};
use crate::random::Stream;
use crate::{DataError, DataSpec};
use std::sync::Arc;

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

pub(crate) fn open(spec: &DataSpec) -> Result<Split, DataError> {
    let shape = spec.shape.unwrap_or(ImageShape::new(3, 32, 32));
    let classes = spec.classes.unwrap_or(10);
    let lens = [spec.train_samples.unwrap_or(10_000), spec.test_samples.unwrap_or(1_000)];
    let option = |option, problem: &str| {
        Err(DataError::Option {
            dataset: "synthetic".to_string(),
            option,
            problem: problem.to_string(),
        })
    };
    let bytes = shape
        .channels
        .checked_mul(shape.height)
        .and_then(|product| product.checked_mul(shape.width));
    if bytes.is_none_or(|bytes| bytes == 0 || bytes > isize::MAX as usize) {
        return option(
            "shape",
            "needs at least one channel, row and column, and must fit into memory",
        );
    }
    if classes == 0 || classes > 1 << 20 {
        return option("classes", "must be between 1 and 1048576");
    }
    if lens.contains(&0) {
        return option("train_samples", "and `test_samples` must be at least 1");
    }

    let patterns = (0..classes).map(|class| {
        let mut pattern = vec![0; shape.channels * GRID * GRID];
        Stream::new(spec.seed, "pattern", 0, class as u64).fill(&mut pattern);
        pattern
    });
    let patterns: Arc<Vec<_>> = Arc::new(patterns.collect());
    let part = |part, len| {
        Arc::new(Synthetic {
            part,
            len,
            shape,
            seed: spec.seed,
            patterns: Arc::clone(&patterns),
        })
    };
    Ok(Split {
        train: part("train", lens[0]),
        test: part("test", lens[1]),
    })
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
