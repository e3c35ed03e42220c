//! From samples of other kinds to bytes of grey or of red, green, blue, as Pillow does it.

/// Luma of Rec. 601, rounded: `convert("L")`.
pub(super) fn grey(rgb: &[u8]) -> Vec<u8> {
    let luma = |pixel: &[u8]| {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        // The weights are 0.299, 0.587 and 0.114 in 1/65536.
        ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) as u8
    };
    rgb.chunks_exact(3).map(luma).collect()
}

/// Ink that is there to red, green, blue: 255 − ink, darkened by the black.
pub(super) fn from_cmyk(cmyk: &[u8]) -> Vec<u8> {
    let pixel = |ink: &[u8]| {
        let light = 255 - u32::from(ink[3]);
        [ink[0], ink[1], ink[2]].map(|ink| {
            // ink · light / 255, rounded.
            let product = u32::from(ink) * light + 128;
            light.saturating_sub(((product >> 8) + product) >> 8) as u8
        })
    };
    cmyk.chunks_exact(4).flat_map(pixel).collect()
}

/// One channel of 16 bits, and whether any sample did not fit.
pub(super) fn clip(levels: &[u16]) -> (Vec<u8>, bool) {
    let bytes = levels.iter().map(|&level| level.min(255) as u8).collect();
    (bytes, levels.iter().any(|&level| level > 255))
}

/// The upper bytes of 16-bit samples.
pub(super) fn upper(levels: &[u16]) -> Vec<u8> {
    levels.iter().map(|&level| (level >> 8) as u8).collect()
}

/// The first `keep` of every `of` samples.
pub(super) fn keep<T: Copy>(samples: &[T], keep: usize, of: usize) -> Vec<T> {
    let pixels = samples.chunks_exact(of);
    pixels.flat_map(|pixel| pixel[..keep].iter().copied()).collect()
}

/// Red, green, blue of pixels whose colours were multiplied by their alpha.
pub(super) fn from_premultiplied(rgba: &[u8]) -> Vec<u8> {
    let pixel = |pixel: &[u8]| {
        let alpha = u32::from(pixel[3]);
        [pixel[0], pixel[1], pixel[2]].map(|level| {
            if matches!(alpha, 0 | 255) {
                level
            } else {
                (255 * u32::from(level) / alpha).min(255) as u8
            }
        })
    };
    rgba.chunks_exact(4).flat_map(pixel).collect()
}
