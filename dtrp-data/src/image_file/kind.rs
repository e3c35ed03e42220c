//! What a file is, by its first bytes.

use crate::files::Fault;
use image::ImageFormat;

/// Who decodes it.
pub(super) enum Kind {
    Jpeg,
    Tiff,
    Other(ImageFormat),
}

/// The kind of a file, or what it is instead of an image that can be read.
pub(super) fn of(file: &[u8]) -> Result<Kind, Fault> {
    let kind = match file {
        [] => return Err(Fault::new(0, "the file is empty: replace it")),
        [0xff, 0xd8, ..] => Kind::Jpeg,
        // Classic and big TIFF, in either byte order.
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Kind::Tiff,
        [b'B', b'M', ..] => Kind::Other(ImageFormat::Bmp),
        [b'P', b'1'..=b'6', b' ' | b'\t' | b'\n' | b'\r' | b'#', ..] => Kind::Other(ImageFormat::Pnm),
        _ if file.starts_with(b"\x89PNG\r\n\x1a\n") => Kind::Other(ImageFormat::Png),
        _ if file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WEBP") => Kind::Other(ImageFormat::WebP),
        _ => return Err(Fault::new(0, unknown(file))),
    };
    Ok(kind)
}

/// What people have in place of images.
const STRANGERS: &[(usize, &[u8], &str)] = &[
    (0, b"GIF8", "a GIF"),
    (4, b"ftyp", "an AVIF, HEIC or video file"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"%PDF", "a PDF"),
    (0, b"<svg", "an SVG"),
    (0, b"<?xml", "an XML or SVG file"),
    (0, b"<!DOCTYPE", "a web page, as a failed download leaves it"),
    (0, b"<html", "a web page, as a failed download leaves it"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
];

fn unknown(file: &[u8]) -> String {
    if file.starts_with(b"version https://git-lfs") {
        return "this is a pointer of git-lfs, the image itself was not fetched: run `git lfs pull`".to_string();
    }
    let stranger = STRANGERS
        .iter()
        .find(|(at, magic, _)| file.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    let what = stranger.map_or_else(String::new, |(_, _, name)| format!("{name}, "));
    format!(
        "this is {what}neither JPEG nor PNG, nor BMP, PPM, PGM, TIFF or WebP: replace the file or convert it to PNG"
    )
}
