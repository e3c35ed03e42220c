//! Random changes of training images.
//!
//! An [`Augment`] is a list of operations, written as names with commas between: `crop,flip`. They
//! run in that order on the stored bytes, before normalisation, and draw from one [`Stream`] per
//! sample and epoch in that order.
//!
//! | text | does | draws, in order |
//! |---|---|---|
//! | `none` | nothing | |
//! | `crop`, `crop:PAD` | pads with zeros by PAD on each side, cuts the old size out at random | dy, dx: `below(2·PAD + 1)` |
//! | `flip` | mirrors left and right, every other time | `coin` |
//! | `crop-flip` | `crop,flip`: the usual recipe for CIFAR | |
//! | `cutout`, `cutout:SIDE` | fills a square around a random pixel with the mean colour (DeVries and Taylor, 2017) | y: `below(height)`, x: `below(width)` |
//! | `random-resized-crop`, `random-resized-crop:MIN` | scales a random part, MIN to 1 of the area, to the old size (Szegedy and others, 2015) | see [`random_region`] |
//!
//! As the first operation, `random-resized-crop` takes its part from the image as stored, at full
//! detail, if the set has images larger than its shape. MIN is 0.08 by default. By default PAD is
//! an eighth of the height above and below and an eighth of the width left and right, and SIDE is
//! half of the smaller side.

mod parse;
mod region;

use crate::DataError;
use crate::dataset::{Dataset, Normalization};
use crate::random::Stream;
use crate::resample::Pixels;
use crate::shape::ImageShape;
pub use region::random_region;

/// What to do to each training image: a list of operations, by default none.
///
/// ```
/// let augment: dtrp_data::Augment = "crop-flip".parse()?;
/// assert_eq!(augment, "crop, flip".parse()?);
/// assert_eq!(augment.to_string(), "crop-flip");
/// # Ok::<(), dtrp_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Augment {
    ops: Vec<Op>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Op {
    Crop {
        pad: Option<usize>,
    },
    Flip,
    Cutout {
        side: Option<usize>,
    },
    /// The least share of the area.
    RandomResizedCrop {
        min: f32,
    },
}

impl Augment {
    /// Every operation, as (text, what it does).
    pub const NAMES: &'static [(&'static str, &'static str)] = parse::NAMES;

    /// The one that changes nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether it changes nothing and draws nothing.
    pub fn is_none(&self) -> bool {
        self.ops.is_empty()
    }

    /// Gets sample `index` of a set, changed as the module says, into `image` and returns its
    /// label.
    ///
    /// `mean` is one byte per channel, see [`mean_color`]; `scratch` is any vector, reused between
    /// calls.
    ///
    /// # Errors
    ///
    /// Those of [`Dataset::get`].
    pub fn load(
        &self,
        set: &dyn Dataset,
        index: usize,
        image: &mut [u8],
        mean: &[u8],
        stream: &mut Stream,
        scratch: &mut Vec<u8>,
    ) -> Result<u32, DataError> {
        let (label, rest) = match self.ops.split_first() {
            Some((&Op::RandomResizedCrop { min }, rest)) => {
                let mut choose = |height, width| random_region(height, width, min, stream);
                (set.get_region(index, &mut choose, image)?, rest)
            }
            _ => (set.get(index, image)?, self.ops.as_slice()),
        };
        apply(rest, image, set.shape(), mean, stream, scratch);
        Ok(label)
    }

    /// Changes an image, as the module says.
    ///
    /// `image` has the bytes of `shape`, channel-major; `mean` is one byte per channel, see
    /// [`mean_color`]; `scratch` is any vector, reused between calls.
    pub fn apply(&self, image: &mut [u8], shape: ImageShape, mean: &[u8], stream: &mut Stream, scratch: &mut Vec<u8>) {
        apply(&self.ops, image, shape, mean, stream, scratch);
    }
}

fn apply(ops: &[Op], image: &mut [u8], shape: ImageShape, mean: &[u8], stream: &mut Stream, scratch: &mut Vec<u8>) {
    for op in ops {
        match *op {
            Op::Crop { pad } => {
                let (pad_y, pad_x) = pad.map_or((shape.height / 8, shape.width / 8), |pad| (pad, pad));
                let dy = stream.below(2 * pad_y + 1) as isize - pad_y as isize;
                let dx = stream.below(2 * pad_x + 1) as isize - pad_x as isize;
                scratch.clear();
                scratch.extend_from_slice(image);
                shift(scratch, image, shape, dy, dx);
            }
            Op::Flip => {
                if stream.coin() && shape.width > 0 {
                    image.chunks_exact_mut(shape.width).for_each(<[u8]>::reverse);
                }
            }
            Op::Cutout { side } => {
                let side = side.unwrap_or(shape.height.min(shape.width) / 2);
                let (y, x) = (stream.below(shape.height), stream.below(shape.width));
                cut_out(image, shape, mean, y, x, side);
            }
            Op::RandomResizedCrop { min } => {
                let region = random_region(shape.height, shape.width, min, stream);
                scratch.clear();
                scratch.extend_from_slice(image);
                Pixels::planar(scratch, shape).resample(region, shape, image);
            }
        }
    }
}

/// The mean colour of a set in bytes: round(255 · mean).
pub fn mean_color(normalization: &Normalization) -> Vec<u8> {
    let byte = |mean: &f32| (mean * 255.0).round() as u8;
    normalization.mean.iter().map(byte).collect()
}

/// to(c, y, x) = from(c, y + dy, x + dx), 0 where that is outside.
fn shift(from: &[u8], to: &mut [u8], shape: ImageShape, dy: isize, dx: isize) {
    let ImageShape { height, width, .. } = shape;
    to.fill(0);
    let (rows, columns) = (height as isize, width as isize);
    // The columns of `to` that have a source.
    let (first, end) = ((-dx).clamp(0, columns), (columns - dx).clamp(0, columns));
    if first >= end {
        return;
    }
    let source = (first + dx) as usize..(end + dx) as usize;
    for channel in 0..shape.channels {
        for y in (-dy).clamp(0, rows)..(rows - dy).clamp(0, rows) {
            let to_row = (channel * height + y as usize) * width;
            let from_row = (channel * height + (y + dy) as usize) * width;
            to[to_row + first as usize..to_row + end as usize]
                .copy_from_slice(&from[from_row + source.start..from_row + source.end]);
        }
    }
}

/// Fills the square of `side` around (y, x), as much of it as is inside.
fn cut_out(image: &mut [u8], shape: ImageShape, mean: &[u8], y: usize, x: usize, side: usize) {
    let range = |at: usize, size: usize| {
        let start = at as isize - (side / 2) as isize;
        start.max(0) as usize..((start + side as isize).max(0) as usize).min(size)
    };
    let (rows, columns) = (range(y, shape.height), range(x, shape.width));
    for (channel, &color) in mean.iter().enumerate().take(shape.channels) {
        for row in rows.clone() {
            let start = (channel * shape.height + row) * shape.width;
            image[start + columns.start..start + columns.end].fill(color);
        }
    }
}
