//! PNG, BMP, PPM, PGM and WebP, by the decoders of the `image` crate.

use super::{MEMORY, Raw, Remarks, Samples, bmp, check_size, container, samples, undecodable};
use crate::files::Fault;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// A deflated byte cannot stand for more than so many.
const DEFLATE: u64 = 1032;

pub(super) fn decode(file: &[u8], format: ImageFormat) -> Result<Raw, Fault> {
    let (data, bits, file) = match format {
        ImageFormat::Png => (container::png(file)?, None, file),
        ImageFormat::Bmp => (0, bmp::check(file)?, file),
        ImageFormat::WebP => (0, None, container::webp(file)?),
        _ => (0, None, file),
    };
    let fault = |error: image::ImageError| undecodable(data, &error);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = decoder.dimensions();
    check_size(data, height.into(), width.into())?;
    // PNG stores pixels of a bit and more.
    if format == ImageFormat::Png && u64::from(height) * u64::from(width) > file.len() as u64 * DEFLATE * 8 {
        return Err(Fault::new(
            data,
            format!("the header says {height}x{width} pixels, for which the file is too short: replace it"),
        ));
    }
    let turned = decoder
        .orientation()
        .is_ok_and(|turn| turn != Orientation::NoTransforms);
    // The depth and the kind of colour in PNG's header.
    let one_channel = format == ImageFormat::Png && file.get(24..26) == Some(&[16, 0]);
    let image = DynamicImage::from_decoder(decoder).map_err(fault)?;
    let mut remarks = Remarks {
        turned,
        ..Remarks::default()
    };
    let samples = match image {
        DynamicImage::ImageLuma8(grey) => Samples::Grey(grey.into_raw()),
        DynamicImage::ImageLumaA8(grey) => Samples::Grey(samples::keep(&grey, 1, 2)),
        DynamicImage::ImageRgb8(mut rgb) => {
            if let Some(bits) = bits {
                bmp::spread_down(&mut rgb, bits);
            }
            Samples::Rgb(rgb.into_raw())
        }
        DynamicImage::ImageRgba8(rgba) => Samples::Rgb(samples::keep(&rgba, 3, 4)),
        DynamicImage::ImageLuma16(grey) => clip(&grey, &mut remarks),
        // A channel and a transparent level, which counts for nothing.
        DynamicImage::ImageLumaA16(grey) if one_channel => clip(&samples::keep(&grey, 1, 2), &mut remarks),
        DynamicImage::ImageLumaA16(grey) => Samples::Grey(samples::upper(&samples::keep(&grey, 1, 2))),
        DynamicImage::ImageRgb16(rgb) => Samples::Rgb(samples::upper(&rgb)),
        DynamicImage::ImageRgba16(rgba) => Samples::Rgb(samples::upper(&samples::keep(&rgba, 3, 4))),
        _ => return Err(undecodable(data, &"samples that are not whole numbers")),
    };
    Ok(Raw {
        samples,
        height: height as usize,
        width: width as usize,
        remarks,
    })
}

fn clip(grey: &[u16], remarks: &mut Remarks) -> Samples {
    let (bytes, clipped) = samples::clip(grey);
    remarks.clipped = clipped;
    Samples::Grey(bytes)
}
