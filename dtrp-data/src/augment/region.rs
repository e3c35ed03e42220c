//! The random part of a random resized crop.

use crate::random::Stream;
use crate::resample::Region;

/// A random region of an image: at least `min` of its area, width to height from 3/4 to 4/3.
///
/// As torchvision's `RandomResizedCrop`. Up to ten times, with u and v from [`Stream::unit`]:
///
/// ```text
/// area  = height · width · (min + (1 − min) · u)
/// ratio = (4/3)^(2v − 1)
/// width of the region = √(area · ratio), its height = √(area / ratio), both rounded
/// ```
///
/// If both fit, the top is `below(height − height of the region + 1)`, then the left likewise, and that
/// is it. If ten times none fits, it is the largest region in the middle whose ratio is allowed.
pub fn random_region(height: usize, width: usize, min: f32, stream: &mut Stream) -> Region {
    let all = (height * width) as f64;
    let min = f64::from(min);
    for _ in 0..10 {
        let area = all * (min + (1.0 - min) * f64::from(stream.unit()));
        let ratio = power_of_4_3(2.0 * f64::from(stream.unit()) - 1.0);
        let (columns, rows) = (
            (area * ratio).sqrt().round() as usize,
            (area / ratio).sqrt().round() as usize,
        );
        if (1..=width).contains(&columns) && (1..=height).contains(&rows) {
            let top = stream.below(height - rows + 1);
            let left = stream.below(width - columns + 1);
            return Region {
                top,
                left,
                height: rows,
                width: columns,
            };
        }
    }
    // ⌊4/3 of the smaller side⌋, rounded to nearest, in whole numbers.
    let limit = |side: usize, other: usize| side.min((other * 4 + 1) / 3).max(1);
    let (rows, columns) = (limit(height, width), limit(width, height));
    Region {
        top: (height - rows.min(height)) / 2,
        left: (width - columns.min(width)) / 2,
        height: rows,
        width: columns,
    }
}

/// (4/3)^x for |x| ≤ 1, by the series of exp(x · ln(4/3)).
///
/// The mathematical library's `exp` may differ between machines in its last bit; sums and products
/// do not.
fn power_of_4_3(x: f64) -> f64 {
    const LN_4_3: f64 = 0.287_682_072_451_780_9;
    let y = x * LN_4_3;
    // |y| < 0.29: the 12th term is below 1e-15.
    (1..=12).rev().fold(1.0, |sum, n| 1.0 + sum * y / f64::from(n))
}

#[cfg(test)]
mod tests {
    use super::power_of_4_3;

    #[test]
    fn the_series_is_the_power() {
        for n in -100..=100 {
            let x = f64::from(n) / 100.0;
            assert!((power_of_4_3(x) - (4.0f64 / 3.0).powf(x)).abs() < 1e-15, "{x}");
        }
    }
}
