//! Reading image files: to the pixels that Pillow's `convert("RGB")` or `convert("L")` gives.
//!
//! What a file is, its first bytes say, not its name. An orientation in its EXIF data is not
//! applied (torchvision's `ImageFolder` does not either), alpha is dropped, colour profiles are
//! left alone.

mod bmp;
mod container;
mod jpeg;
mod kind;
mod others;
mod samples;
mod tiff;

use crate::files::Fault;
use kind::Kind;
use std::fmt::Display;

/// A decoded image, pixel-major.
pub(crate) struct Decoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) remarks: Remarks,
}

/// What is no fault but worth telling.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remarks {
    /// EXIF data ask for the image to be turned or mirrored.
    pub(crate) turned: bool,
    /// A JPEG has bytes left over between its compressed data and the next marker.
    pub(crate) left_over: bool,
    /// Samples above 255 of an image of one 16-bit channel became 255.
    pub(crate) clipped: bool,
}

/// Bytes that decoding one image may take beside its pixels: more is an error, not the end of the
/// process.
const MEMORY: u64 = 1 << 30;

/// Pixels that an image may have, as in Pillow.
const MOST_PIXELS: u64 = 178_956_970;

/// Decodes a file to grey (`channels` 1) or red, green, blue (3).
pub(crate) fn decode(file: &[u8], channels: usize) -> Result<Decoded, Fault> {
    let decoded = match kind::of(file)? {
        Kind::Jpeg => jpeg::decode(file)?,
        Kind::Tiff => tiff::decode(file)?,
        Kind::Other(format) => others::decode(file, format)?,
    };
    let Raw {
        samples,
        height,
        width,
        remarks,
    } = decoded;
    let bytes = match samples {
        Samples::Grey(grey) if channels == 1 => grey,
        Samples::Grey(grey) => grey.iter().flat_map(|&level| [level; 3]).collect(),
        Samples::Rgb(rgb) if channels == 1 => samples::grey(&rgb),
        Samples::Rgb(rgb) => rgb,
    };
    Ok(Decoded {
        bytes,
        height,
        width,
        remarks,
    })
}

/// What the decoders give.
struct Raw {
    samples: Samples,
    height: usize,
    width: usize,
    remarks: Remarks,
}

/// Bytes of whole pixels.
enum Samples {
    Grey(Vec<u8>),
    Rgb(Vec<u8>),
}

/// Refuses sizes that nothing can be made of, before memory is taken for them.
fn check_size(offset: usize, height: u64, width: u64) -> Result<(), Fault> {
    if height == 0 || width == 0 {
        return Err(Fault::new(
            offset,
            format!("the image cannot be decoded, it is {height} pixels high and {width} wide: replace the file"),
        ));
    }
    if height.saturating_mul(width) > MOST_PIXELS {
        return Err(Fault::new(
            offset,
            format!(
                "the image is {height} pixels high and {width} wide, and no image may have more than {MOST_PIXELS} \
                 pixels: scale it down, or replace the file if it is damaged"
            ),
        ));
    }
    Ok(())
}

/// The image data at `offset` cannot be decoded.
fn undecodable(offset: usize, why: &dyn Display) -> Fault {
    Fault::new(
        offset,
        format!("the image data that starts here cannot be decoded ({why}): replace the file"),
    )
}
