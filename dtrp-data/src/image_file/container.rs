//! The structure of JPEG, PNG and WebP files: whether all is there, and where not.
//!
//! JPEG (ITU-T T.81, annex B): `FF D8`, then segments `FF marker length data`; after a
//! start-of-scan segment the compressed data runs up to the next `FF` that is followed by neither
//! `00` nor a restart marker; `FF D9` ends it. PNG (ISO/IEC 15948): 8 bytes of signature, then
//! chunks `length type data CRC`; `IEND` ends it. WebP (RFC 9649): `RIFF length WEBP`, then chunks
//! `type length data`, each padded to an even length.

use crate::files::Fault;
use flate2::Crc;
use image::metadata::Orientation;

/// The length of PNG's signature.
const SIGNATURE: usize = 8;

/// What a JPEG's header says.
pub(super) struct Frame<'a> {
    /// Where it starts.
    pub(super) start: usize,
    /// The second byte of its marker, which names the coding process.
    pub(super) process: u8,
    /// Bits of a sample.
    pub(super) precision: u8,
    pub(super) height: u16,
    pub(super) width: u16,
    pub(super) components: usize,
    /// Across and down: the first component's sampling factors, and the largest.
    sampling: [(u64, u64); 2],
    pub(super) scans: usize,
    /// Where the first scan's compressed data start.
    pub(super) data: usize,
    /// The first EXIF segment, after its name.
    pub(super) exif: Option<&'a [u8]>,
}

impl Frame<'_> {
    /// Blocks of 8 x 8 samples of the first component.
    pub(super) fn blocks(&self) -> u64 {
        let [(across, down), (most_across, most_down)] = self.sampling;
        let blocks = |size: u16, factor: u64, most: u64| (u64::from(size) * factor).div_ceil(most.max(1)).div_ceil(8);
        blocks(self.width, across, most_across) * blocks(self.height, down, most_down)
    }

    /// From a start-of-frame segment at `start`, and the `body` after its length.
    fn new(start: usize, process: u8, body: &[u8]) -> Option<Self> {
        let (&[precision, h1, h0, w1, w0, components], rest) = body.split_first_chunk()?;
        let components = usize::from(components);
        let factors = rest.chunks_exact(3).take(components);
        let factors: Vec<_> = factors
            .map(|one| (u64::from(one[1] >> 4), u64::from(one[1] & 15)))
            .collect();
        let most = factors.iter().fold((1, 1), |(h, v), &(a, b)| (h.max(a), v.max(b)));
        Some(Self {
            start,
            process,
            precision,
            height: u16::from_be_bytes([h1, h0]),
            width: u16::from_be_bytes([w1, w0]),
            components,
            sampling: [*factors.first()?, most],
            scans: 0,
            data: 0,
            exif: None,
        })
    }
}

/// Whether EXIF data ask for another orientation than the stored one.
pub(super) fn turned(exif: &[u8]) -> bool {
    Orientation::from_exif_chunk(exif).is_some_and(|turn| turn != Orientation::NoTransforms)
}

fn truncated(file: &[u8], inside: &str) -> Fault {
    Fault::new(
        file.len(),
        format!("the file ends inside {inside}: it is truncated; replace it"),
    )
}

/// A JPEG's header, if everything up to its end is there.
pub(super) fn jpeg(file: &[u8]) -> Result<Frame<'_>, Fault> {
    let (mut at, mut data, mut scans) = (2, None, 0);
    let (mut frame, mut exif) = (None, None);
    loop {
        // Up to the next marker: compressed data, fill bytes, or junk that decoders skip.
        let marker = loop {
            match file.get(at..at + 2) {
                Some(&[0xff, marker]) if !matches!(marker, 0x00 | 0x01 | 0xd0..=0xd7 | 0xff) => {
                    break marker;
                }
                Some(_) => at += 1,
                None => {
                    return Err(truncated(file, "the image data, before the end-of-image marker"));
                }
            }
        };
        if marker == 0xd9 {
            let (Some(data), Some(frame)) = (data, frame) else {
                return Err(Fault::new(at, "the JPEG ends without image data: replace the file"));
            };
            return Ok(Frame {
                scans,
                data,
                exif,
                ..frame
            });
        }
        let length = match file.get(at + 2..at + 4) {
            Some(&[high, low]) => usize::from(high) << 8 | usize::from(low),
            _ => return Err(truncated(file, "a JPEG segment")),
        };
        if length < 2 {
            return Err(Fault::new(
                at + 2,
                format!("a JPEG segment of length {length}: the file is damaged; replace it"),
            ));
        }
        let Some(body) = file.get(at + 4..at + 2 + length) else {
            return Err(truncated(file, "a JPEG segment"));
        };
        match marker {
            // All but the tables (C4, CC) and one that is reserved (C8).
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) && frame.is_none() => {
                frame = Frame::new(at, marker, body);
                if frame.is_none() {
                    return Err(Fault::new(at, "a JPEG header that is too short: replace the file"));
                }
            }
            0xda => {
                data.get_or_insert(at + 2 + length);
                scans += 1;
            }
            0xe1 => exif = exif.or_else(|| body.strip_prefix(b"Exif\0\0")),
            _ => {}
        }
        at += 2 + length;
    }
}

/// Where a PNG's compressed pixels start, if everything up to its end is there.
pub(super) fn png(file: &[u8]) -> Result<usize, Fault> {
    let (mut at, mut data) = (SIGNATURE, None);
    loop {
        let number = |at: usize| {
            let bytes = file.get(at..at + 4).ok_or_else(|| truncated(file, "a PNG chunk"))?;
            Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        };
        let length = number(at)? as usize;
        let (start, end) = (at + 4, at + 8 + length);
        let stored = number(end)?;
        let mut crc = Crc::new();
        crc.update(&file[start..end]);
        if crc.sum() != stored {
            return Err(Fault::new(
                at,
                "a PNG chunk whose checksum is wrong: the file is damaged; replace it",
            ));
        }
        match &file[start..start + 4] {
            b"IEND" => {
                return data.ok_or_else(|| Fault::new(at, "the PNG ends without image data: replace the file"));
            }
            b"IDAT" => _ = data.get_or_insert(at),
            _ => {}
        }
        at = end + 4;
    }
}

/// The part of a file that is the WebP, if everything that its chunks promise is there: memory is taken for a chunk by its
/// length before it is read.
pub(super) fn webp(file: &[u8]) -> Result<&[u8], Fault> {
    let number = |at: usize| {
        let bytes = file.get(at..at + 4).ok_or_else(|| truncated(file, "a WebP chunk"))?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let end = 8 + number(4)?;
    let whole = file.get(..end).ok_or_else(|| truncated(file, "the WebP's data"))?;
    let mut at = 12;
    while at + 8 <= end {
        let length = number(at + 4)?;
        if at + 8 + length > end {
            return Err(Fault::new(
                at,
                format!("a WebP chunk of {length} bytes, more than the file has left: it is damaged; replace it"),
            ));
        }
        at += 8 + length + length % 2;
    }
    Ok(whole)
}
