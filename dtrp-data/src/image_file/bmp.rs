//! What the `image` crate's decoder of BMP does otherwise than Pillow.

use crate::files::Fault;

/// Bits of red, green and blue in a pixel of 16 bits.
pub(super) type Bits = Option<[u32; 3]>;

/// Looks at a BMP's header: refuses what would be decoded to other pixels, and tells how 16-bit pixels are made up.
pub(super) fn check(file: &[u8]) -> Result<Bits, Fault> {
    let number = |at: usize, bytes: usize| {
        let field = file.get(at..at + bytes)?;
        Some(field.iter().rev().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte)))
    };
    let header = number(14, 4).unwrap_or(0);
    // The oldest header has smaller fields, and palettes of 3 bytes a colour.
    let (depth, compression, colors, entry) = if header == 12 {
        (number(24, 2), Some(0), Some(0), 3)
    } else {
        (number(28, 2), number(30, 4), number(46, 4), 4)
    };
    let (Some(data), Some(depth), Some(compression), Some(colors)) = (number(10, 4), depth, compression, colors) else {
        return Err(Fault::new(
            file.len(),
            "the file ends inside the BMP header: it is truncated; replace it",
        ));
    };
    if matches!(compression, 1 | 2) {
        return Err(Fault::new(
            30,
            "a BMP with run-length coding, which is not read: convert it to PNG",
        ));
    }
    let colors = match depth {
        1..=8 if colors == 0 => 1 << depth,
        1..=8 => colors,
        _ => 0,
    };
    if data < 14 + header + colors * entry {
        return Err(Fault::new(
            10,
            "the BMP's pixels start inside its header or palette: the file is damaged; replace it",
        ));
    }
    Ok(match (depth, compression) {
        (16, 0) => Some([5, 5, 5]),
        (16, 3) => {
            let mask = |at| number(at, 4).map_or(0, u64::count_ones);
            Some([mask(54), mask(58), mask(62)])
        }
        _ => None,
    })
}

/// Levels of few bits were spread over 0 to 255 rounded to nearest; Pillow rounds down.
pub(super) fn spread_down(rgb: &mut [u8], bits: [u32; 3]) {
    for pixel in rgb.chunks_exact_mut(3) {
        for (level, bits) in pixel.iter_mut().zip(bits) {
            let most = (1u32 << bits.min(8)) - 1;
            let stored = (u32::from(*level) * most + 127) / 255;
            *level = (stored * 255 / most.max(1)) as u8;
        }
    }
}
