//! The structure of JPEG and PNG files: whether all is there, and where not.
//!
//! JPEG (ITU-T T.81, annex B): `FF D8`, then segments `FF marker length data`; after a
//! start-of-scan segment the compressed data runs up to the next `FF` that is followed by neither
//! `00` nor a restart marker; `FF D9` ends it. PNG (ISO/IEC 15948): 8 bytes of signature, then
//! chunks `length type data CRC`; `IEND` ends it.

use crate::files::Fault;
use flate2::Crc;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Where the compressed pixels start, or what is wrong.
pub(super) fn check(file: &[u8]) -> Result<usize, Fault> {
    if file.is_empty() {
        Err(Fault::new(0, "the file is empty: replace it"))
    } else if file.starts_with(&[0xff, 0xd8]) {
        jpeg(file)
    } else if file.starts_with(PNG) {
        png(file)
    } else {
        Err(Fault::new(
            0,
            "this is neither JPEG nor PNG: replace the file or convert it",
        ))
    }
}

fn truncated(file: &[u8], inside: &str) -> Fault {
    Fault::new(
        file.len(),
        format!("the file ends inside {inside}: it is truncated; replace it"),
    )
}

fn jpeg(file: &[u8]) -> Result<usize, Fault> {
    let (mut at, mut data) = (2, None);
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
            return data.ok_or_else(|| Fault::new(at, "the JPEG ends without image data: replace the file"));
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
        at += 2 + length;
        if at > file.len() {
            return Err(truncated(file, "a JPEG segment"));
        }
        if marker == 0xda {
            data.get_or_insert(at);
        }
    }
}

fn png(file: &[u8]) -> Result<usize, Fault> {
    let (mut at, mut data) = (PNG.len(), None);
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
