//! Cutting a region out of an image and bringing it to another size.
//!
//! Separable triangle filter, widened when the image shrinks (bilinear with antialiasing, as
//! Pillow's `resize(reducing_gap=None, resample=BILINEAR)` of the cropped image): the weight of
//! source pixel s for target pixel t is max(0, 1 − |s + ½ − c| / f), normalised to sum 1, with
//! scale = source size / target size, c = (t + ½) · scale and f = max(1, scale). Weights are
//! rounded to 22-bit fixed point and rows go first, rounded to bytes, so that the result is the
//! same on every machine. A region of the target's size is copied unchanged.

use crate::shape::ImageShape;

/// A rectangle of pixels in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// Columns, at least 1.
    pub width: usize,
}

impl Region {
    /// All of an image.
    pub const fn whole(height: usize, width: usize) -> Self {
        Self {
            top: 0,
            left: 0,
            height,
            width,
        }
    }

    /// The middle of an image of `height` × `width`, to be brought to `shape`.
    ///
    /// With a number to resize to, what resizing the smaller side to it and cutting `shape` out of
    /// the middle would show; without, as much as has the ratio of `shape`.
    pub fn center(height: usize, width: usize, shape: ImageShape, resize: Option<usize>) -> Self {
        // A pixel of the result is `up / down` pixels of the image.
        let (up, down) = match resize {
            Some(resize) => (height.min(width), resize),
            None if height * shape.width <= width * shape.height => (height, shape.height),
            None => (width, shape.width),
        };
        let down = down.max(1);
        let scaled = |size: usize, most: usize| ((size * up + down / 2) / down).min(most).max(1);
        let (rows, columns) = (scaled(shape.height, height), scaled(shape.width, width));
        Self {
            top: height.saturating_sub(rows) / 2,
            left: width.saturating_sub(columns) / 2,
            height: rows,
            width: columns,
        }
    }

    /// The part of the region that is inside the image, never empty if the image is not.
    fn inside(self, height: usize, width: usize) -> Self {
        let (top, left) = (self.top.min(height - 1), self.left.min(width - 1));
        Self {
            top,
            left,
            height: self.height.clamp(1, height - top),
            width: self.width.clamp(1, width - left),
        }
    }
}

/// An image in memory, wherever its pixels and channels lie.
pub(crate) struct Pixels<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Bytes from one channel, row, column to the next.
    pub(crate) strides: [usize; 3],
}

impl<'a> Pixels<'a> {
    /// Channel-major.
    pub(crate) fn planar(bytes: &'a [u8], shape: ImageShape) -> Self {
        let ImageShape { height, width, .. } = shape;
        Self {
            bytes,
            height,
            width,
            strides: [height * width, width, 1],
        }
    }

    /// Pixel-major, as decoders give it.
    pub(crate) fn interleaved(bytes: &'a [u8], height: usize, width: usize, channels: usize) -> Self {
        Self {
            bytes,
            height,
            width,
            strides: [1, width * channels, channels],
        }
    }

    /// Writes the region into `image`, channel-major, in the size of `shape`; channels as in
    /// `shape`.
    pub(crate) fn resample(&self, region: Region, shape: ImageShape, image: &mut [u8]) {
        if shape.is_empty() || self.height == 0 || self.width == 0 {
            return;
        }
        let region = region.inside(self.height, self.width);
        let columns = Taps::new(region.width, shape.width);
        let rows = Taps::new(region.height, shape.height);
        let mut narrow = vec![0; region.height * shape.width];
        let mut sums = vec![0; shape.width];
        for (channel, plane) in image.chunks_exact_mut(shape.height * shape.width).enumerate() {
            let [channel_stride, row_stride, stride] = self.strides;
            for (y, out) in narrow.chunks_exact_mut(shape.width).enumerate() {
                let start = channel * channel_stride + (region.top + y) * row_stride + region.left * stride;
                let line = &self.bytes[start..];
                for (pixel, (first, weights)) in out.iter_mut().zip(columns.iter()) {
                    let terms = weights.iter().enumerate();
                    *pixel = to_byte(
                        terms
                            .map(|(tap, weight)| weight * i32::from(line[(first + tap) * stride]))
                            .sum(),
                    );
                }
            }
            for (out, (first, weights)) in plane.chunks_exact_mut(shape.width).zip(rows.iter()) {
                // Whole rows at a time, which the compiler turns into vector instructions.
                sums.fill(0);
                for (line, weight) in narrow[first * shape.width..].chunks_exact(shape.width).zip(weights) {
                    sums.iter_mut()
                        .zip(line)
                        .for_each(|(sum, &pixel)| *sum += weight * i32::from(pixel));
                }
                out.iter_mut()
                    .zip(&sums)
                    .for_each(|(pixel, &sum)| *pixel = to_byte(sum));
            }
        }
    }
}

const BITS: u32 = 22;

/// Rounds a sum of weight · byte, at most (2²² + a few) · 255, which an i32 holds.
fn to_byte(sum: i32) -> u8 {
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

/// The weights of one direction.
struct Taps {
    /// For each target pixel, its first source pixel and where its weights start and end.
    places: Vec<(usize, usize, usize)>,
    weights: Vec<i32>,
}

impl Taps {
    fn new(source: usize, target: usize) -> Self {
        let scale = source as f64 / target as f64;
        let support = scale.max(1.0);
        let mut taps = Self {
            places: Vec::with_capacity(target),
            weights: Vec::new(),
        };
        for t in 0..target {
            let center = (t as f64 + 0.5) * scale;
            // Pixel s reaches from s to s + 1; those whose middle is within `support` of the centre
            // count.
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).clamp(first + 1, source);
            let weight = |s: usize| (1.0 - (s as f64 + 0.5 - center).abs() / support).max(0.0);
            let sum: f64 = (first..end).map(weight).sum();
            let start = taps.weights.len();
            let fixed = |s| (weight(s) / sum * f64::from(1 << BITS) + 0.5) as i32;
            taps.weights.extend((first..end).map(fixed));
            taps.places.push((first, start, taps.weights.len()));
        }
        taps
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.places
            .iter()
            .map(|&(first, start, end)| (first, &self.weights[start..end]))
    }
}
