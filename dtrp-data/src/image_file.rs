//! Reading JPEG and PNG files.

mod container;

use crate::files::Fault;
use image::{ImageReader, Limits};

/// A decoded image, pixel-major.
pub(crate) struct Decoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// Bytes that decoding one image may take: more is an error, not the end of the process.
const MEMORY: u64 = 1 << 30;

/// Decodes a JPEG or PNG file to grey (`channels` 1) or red, green, blue (3).
///
/// What the file is, its first bytes say, not its name. A JPEG decoder fills in what a truncated
/// file lacks, so the file's structure is checked first.
pub(crate) fn decode(file: &[u8], channels: usize) -> Result<Decoded, Fault> {
    let data = container::check(file)?;
    let fault = |error: &dyn std::fmt::Display| {
        Fault::new(
            data,
            format!("the image data that starts here cannot be decoded ({error}): replace the file"),
        )
    };
    let mut reader = ImageReader::new(std::io::Cursor::new(file))
        .with_guessed_format()
        .map_err(|error| fault(&error))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| fault(&error))?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    if height == 0 || width == 0 {
        return Err(fault(&format_args!(
            "the image is {height} pixels high and {width} wide"
        )));
    }
    let bytes = if channels == 1 {
        image.into_luma8().into_raw()
    } else {
        image.into_rgb8().into_raw()
    };
    Ok(Decoded { bytes, height, width })
}
