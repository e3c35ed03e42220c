//! TIFF, by the `tiff` crate. An orientation tag is applied, as Pillow does for TIFF alone.

use super::{MEMORY, Raw, Remarks, Samples, check_size, samples, undecodable};
use crate::files::Fault;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use std::io::Cursor;
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{CompressionMethod, PhotometricInterpretation, Tag};

pub(super) fn decode(file: &[u8]) -> Result<Raw, Fault> {
    let fault = |error: tiff::TiffError| undecodable(0, &error);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MEMORY as usize;
    limits.intermediate_buffer_size = MEMORY as usize;
    let mut decoder = Decoder::new(Cursor::new(file)).map_err(fault)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(fault)?;
    check_size(0, height.into(), width.into())?;
    let mut number = |tag, default| {
        let number = decoder.find_tag_unsigned::<u16>(tag).map_err(fault)?;
        Ok(number.unwrap_or(default))
    };
    let tags = Tags {
        compression: CompressionMethod::from_u16_exhaustive(number(Tag::Compression, 1)?),
        photometric: PhotometricInterpretation::from_u16(number(Tag::PhotometricInterpretation, 1)?),
        planes: number(Tag::PlanarConfiguration, 1)?,
        fill_order: number(Tag::FillOrder, 1)?,
    };
    let orientation = number(Tag::Orientation, 1)?;
    // 1: colours are multiplied by alpha.
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).map_err(fault)?;
    let premultiplied = extra.is_some_and(|extra| extra.first() == Some(&1));
    let refused = |what: String| Fault::new(0, format!("a TIFF {what}, which is not read: convert it to PNG"));
    if let Some(what) = tags.unread() {
        return Err(refused(what));
    }
    let color = decoder.colortype().map_err(fault)?;
    if tags.planes != 1 && color.num_samples() > 1 {
        return Err(refused("of separate colour planes".to_string()));
    }
    let content = decoder.read_image().map_err(fault)?;
    let (height, width) = (height as usize, width as usize);
    let mut remarks = Remarks::default();
    let samples = match (color, content) {
        (ColorType::Gray(8), DecodingResult::U8(grey)) => Samples::Grey(grey),
        (ColorType::Gray(bits @ (1 | 2 | 4)), DecodingResult::U8(packed)) => {
            Samples::Grey(unpack(&packed, usize::from(bits), width))
        }
        (ColorType::Gray(16), DecodingResult::U16(grey)) => {
            let (bytes, clipped) = samples::clip(&grey);
            remarks.clipped = clipped;
            Samples::Grey(bytes)
        }
        (
            ColorType::GrayA(8)
            | ColorType::Multiband {
                bit_depth: 8,
                num_samples: 2,
            },
            DecodingResult::U8(grey),
        ) if tags.photometric == Some(PhotometricInterpretation::BlackIsZero) && !premultiplied => {
            Samples::Grey(samples::keep(&grey, 1, 2))
        }
        (ColorType::RGB(8), DecodingResult::U8(rgb)) => Samples::Rgb(rgb),
        (ColorType::RGB(16), DecodingResult::U16(rgb)) => Samples::Rgb(samples::upper(&rgb)),
        (ColorType::RGBA(8), DecodingResult::U8(rgba)) => without_alpha(&rgba, premultiplied),
        (ColorType::RGBA(16), DecodingResult::U16(rgba)) => without_alpha(&samples::upper(&rgba), premultiplied),
        (ColorType::CMYK(8), DecodingResult::U8(cmyk)) => Samples::Rgb(samples::from_cmyk(&cmyk)),
        (other, _) => return Err(refused(format!("of {other:?} samples"))),
    };
    let turn = u8::try_from(orientation).ok().and_then(Orientation::from_exif);
    turned(
        Raw {
            samples,
            height,
            width,
            remarks,
        },
        turn.unwrap_or(Orientation::NoTransforms),
    )
    .ok_or_else(|| undecodable(0, &"samples are missing"))
}

struct Tags {
    compression: CompressionMethod,
    photometric: Option<PhotometricInterpretation>,
    planes: u16,
    fill_order: u16,
}

impl Tags {
    /// What is not read, or would be read to other pixels than Pillow's.
    fn unread(&self) -> Option<String> {
        if !matches!(
            self.compression,
            CompressionMethod::None
                | CompressionMethod::LZW
                | CompressionMethod::Deflate
                | CompressionMethod::OldDeflate
                | CompressionMethod::PackBits
        ) {
            return Some(format!("with {:?} compression", self.compression));
        }
        match self.photometric {
            _ if self.fill_order != 1 => Some("whose bits run backwards".to_string()),
            Some(
                PhotometricInterpretation::WhiteIsZero
                | PhotometricInterpretation::BlackIsZero
                | PhotometricInterpretation::RGB
                | PhotometricInterpretation::CMYK,
            ) => None,
            Some(other) => Some(format!("of {other:?} pixels")),
            None => Some("of pixels of an unknown kind".to_string()),
        }
    }
}

fn without_alpha(rgba: &[u8], premultiplied: bool) -> Samples {
    Samples::Rgb(if premultiplied {
        samples::from_premultiplied(rgba)
    } else {
        samples::keep(rgba, 3, 4)
    })
}

/// Samples of `bits` bits, packed from the upper end and spread over 0 to 255; every row of `width` samples starts
/// with a byte of its own.
fn unpack(packed: &[u8], bits: usize, width: usize) -> Vec<u8> {
    let most = ((1u16 << bits) - 1) as u8;
    let rows = packed.chunks_exact((width * bits).div_ceil(8));
    rows.flat_map(|row| {
        let stored = move |x: usize| row[x * bits / 8] >> (8 - bits - x * bits % 8) & most;
        (0..width).map(move |x| stored(x) * (255 / most))
    })
    .collect()
}

/// The image as its orientation tag wants it; nothing if it has not the bytes that its size needs.
fn turned(raw: Raw, orientation: Orientation) -> Option<Raw> {
    let (height, width) = (u32::try_from(raw.height).ok()?, u32::try_from(raw.width).ok()?);
    let mut image = match raw.samples {
        Samples::Grey(grey) => DynamicImage::from(GrayImage::from_raw(width, height, grey)?),
        Samples::Rgb(rgb) => DynamicImage::from(RgbImage::from_raw(width, height, rgb)?),
    };
    image.apply_orientation(orientation);
    Some(Raw {
        height: image.height() as usize,
        width: image.width() as usize,
        samples: match image {
            DynamicImage::ImageLuma8(grey) => Samples::Grey(grey.into_raw()),
            other => Samples::Rgb(other.into_rgb8().into_raw()),
        },
        remarks: raw.remarks,
    })
}
