//! Cutting a region out of an image and bringing it to another size, to the bits of Pillow's
//! `resize(..., BILINEAR)`, which is what torchvision uses.
//!
//! Separable triangle filter, widened when the image shrinks (bilinear with antialiasing): the
//! weight of source pixel s for target pixel t is max(0, 1 − |s + ½ − c| / f), normalised to sum 1,
//! with scale = source size / target size, c = (t + ½) · scale and f = max(1, scale). Weights are
//! rounded to 22-bit fixed point and rows go first, rounded to bytes, so that the result is the
//! same on every machine. A region of the target's size is copied unchanged.

use crate::shape::ImageShape;
use std::ops::Range;

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

    /// The middle of an image of `height` × `width`, as much as has the ratio of `shape`: all of one
    /// side, and the other side's length rounded to nearest, halves up; with an odd rest, the
    /// smaller half is above or left of it.
    pub fn center(height: usize, width: usize, shape: ImageShape) -> Self {
        let scaled = |side: usize, to: usize, from: usize| (side * to + from / 2) / from.max(1);
        let (rows, columns) = if height * shape.width <= width * shape.height {
            (height, scaled(height, shape.width, shape.height))
        } else {
            (scaled(width, shape.height, shape.width), width)
        };
        let (rows, columns) = (rows.min(height).max(1), columns.min(width).max(1));
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

/// An image in memory.
pub(crate) struct Pixels<'a> {
    bytes: &'a [u8],
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Bytes of a pixel that stand together: 3, or 1 where each channel is a plane.
    together: usize,
}

impl<'a> Pixels<'a> {
    /// Channel-major.
    pub(crate) fn planar(bytes: &'a [u8], shape: ImageShape) -> Self {
        Self {
            bytes,
            height: shape.height,
            width: shape.width,
            together: 1,
        }
    }

    /// Pixel-major with 1 or 3 channels, as decoders give it.
    pub(crate) fn interleaved(bytes: &'a [u8], height: usize, width: usize, channels: usize) -> Self {
        Self {
            bytes,
            height,
            width,
            together: channels,
        }
    }

    /// Writes the region into `image`, channel-major, in the size of `shape`; channels as in
    /// `shape`.
    pub(crate) fn resample(&self, region: Region, shape: ImageShape, image: &mut [u8]) {
        if shape.is_empty() || self.height == 0 || self.width == 0 {
            return;
        }
        let region = region.inside(self.height, self.width);
        let rows = Taps::new(region.height, shape.height, 0..shape.height);
        let columns = Taps::new(region.width, shape.width, 0..shape.width);
        self.filter(region, &rows, &columns, image);
    }

    /// torchvision's `Resize(resize)` and `CenterCrop`: the smaller side becomes `resize`, the larger
    /// ⌊resize · larger / smaller⌋, and `shape` is cut out of the middle; half a pixel goes to the
    /// even side. No side of `shape` is larger than `resize`.
    pub(crate) fn resize_and_crop(&self, resize: usize, shape: ImageShape, image: &mut [u8]) {
        if shape.is_empty() || self.height == 0 || self.width == 0 {
            return;
        }
        let small = self.height.min(self.width);
        // Only the pixels that are cut out are computed: one does not depend on another.
        let taps = |side: usize, wanted: usize| {
            let scaled = resize * side / small;
            let rest = scaled - wanted;
            // Python's round(rest / 2).
            let start = rest / 2 + usize::from(rest % 4 == 3);
            Taps::new(side, scaled, start..start + wanted)
        };
        let (rows, columns) = (taps(self.height, shape.height), taps(self.width, shape.width));
        self.filter(Region::whole(self.height, self.width), &rows, &columns, image);
    }

    /// Filters a region along its rows, then along its columns.
    fn filter(&self, region: Region, rows: &Taps, columns: &Taps, image: &mut [u8]) {
        let (height, width) = (rows.places.len(), columns.places.len());
        // The rows of the region that count.
        let used = rows.used();
        let mut narrow = vec![0; used.len() * width];
        let mut sums = vec![0; width];
        let line = |plane: usize, y: usize| {
            let row = plane * self.height + region.top + y;
            &self.bytes[(row * self.width + region.left) * self.together..]
        };
        let planes = image.chunks_exact_mut(height * width).enumerate();
        // Colours that stand together are filtered together.
        if self.together == 3 {
            let mut narrow = [narrow.clone(), narrow.clone(), narrow];
            let mut row = vec![0; 3 * width];
            for (number, y) in used.clone().enumerate() {
                columns.along_row::<3>(line(0, y), &mut row);
                for (channel, narrow) in narrow.iter_mut().enumerate() {
                    let out = &mut narrow[number * width..][..width];
                    let levels = row.chunks_exact(3);
                    out.iter_mut()
                        .zip(levels)
                        .for_each(|(out, levels)| *out = levels[channel]);
                }
            }
            for ((_, plane), narrow) in planes.zip(&narrow) {
                rows.along_columns(narrow, used.start, &mut sums, plane);
            }
        } else {
            for (channel, plane) in planes {
                for (y, out) in used.clone().zip(narrow.chunks_exact_mut(width)) {
                    columns.along_row::<1>(line(channel, y), out);
                }
                rows.along_columns(&narrow, used.start, &mut sums, plane);
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
    /// For the pixels `wanted` of `target` pixels made of `source` ones.
    fn new(source: usize, target: usize, wanted: Range<usize>) -> Self {
        let scale = source as f64 / target as f64;
        let support = scale.max(1.0);
        let inverse = 1.0 / support;
        let mut taps = Self {
            places: Vec::with_capacity(wanted.len()),
            weights: Vec::new(),
        };
        for t in wanted {
            let center = (t as f64 + 0.5) * scale;
            // Pixel s reaches from s to s + 1; those whose middle is within `support` of the centre
            // count.
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(source);
            // In Pillow's order of operations, on which the last bit of a weight can depend.
            let weight = |s: usize| (1.0 - ((s as f64 - center + 0.5) * inverse).abs()).max(0.0);
            let sum: f64 = (first..end).map(weight).sum();
            let start = taps.weights.len();
            let fixed = |s| (weight(s) / sum * f64::from(1 << BITS) + 0.5) as i32;
            taps.weights.extend((first..end).map(fixed));
            taps.places.push((first, start, taps.weights.len()));
        }
        taps
    }

    /// The source pixels that any target pixel needs.
    fn used(&self) -> Range<usize> {
        let last = self.places.last().map_or(0, |&(first, start, end)| first + end - start);
        self.places.first().map_or(0, |place| place.0)..last
    }

    /// Filters a row of pixels of `C` bytes each.
    fn along_row<const C: usize>(&self, line: &[u8], out: &mut [u8]) {
        for (pixel, (first, weights)) in out.chunks_exact_mut(C).zip(self.iter()) {
            let mut sums = [0; C];
            let levels = line[first * C..(first + weights.len()) * C].chunks_exact(C);
            for (weight, levels) in weights.iter().zip(levels) {
                for (sum, &level) in sums.iter_mut().zip(levels) {
                    *sum += weight * i32::from(level);
                }
            }
            pixel
                .iter_mut()
                .zip(sums)
                .for_each(|(level, sum)| *level = to_byte(sum));
        }
    }

    /// Filters columns; `lines` are rows from row `start` on, as long as `sums`.
    fn along_columns(&self, lines: &[u8], start: usize, sums: &mut [i32], out: &mut [u8]) {
        let width = sums.len();
        for (out, (first, weights)) in out.chunks_exact_mut(width).zip(self.iter()) {
            // Whole rows at a time, which the compiler turns into vector instructions.
            sums.fill(0);
            let lines = lines[(first - start) * width..].chunks_exact(width);
            for (line, weight) in lines.zip(weights) {
                sums.iter_mut()
                    .zip(line)
                    .for_each(|(sum, &level)| *sum += weight * i32::from(level));
            }
            out.iter_mut()
                .zip(&*sums)
                .for_each(|(level, &sum)| *level = to_byte(sum));
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.places
            .iter()
            .map(|&(first, start, end)| (first, &self.weights[start..end]))
    }
}
