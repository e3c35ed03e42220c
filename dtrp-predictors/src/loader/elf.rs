//! Whether a shared library is all there.
//!
//! The system maps a file that has been cut off, and the process dies at the first page that is missing. The headers of an
//! ELF file say how long it has to be.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

/// A segment that is loaded.
const PT_LOAD: u32 = 1;
/// A section that takes no room in the file.
const SHT_NOBITS: u32 = 8;
/// The header of a 64-bit file.
const HEADER: usize = 64;

/// How many bytes the file must have, by its own headers; `None` for what is no ELF file of 64 bits and little end first,
/// which the system's loader explains well enough.
///
/// # Errors
///
/// When the file cannot be read.
pub(super) fn needed(file: &mut File) -> io::Result<Option<u64>> {
    let size = file.metadata()?.len();
    let mut header = [0; HEADER];
    let read = read_at(file, 0, &mut header)?;
    if read < 6 || header[..6] != *b"\x7fELF\x02\x01" {
        return Ok(None);
    }
    if read < HEADER {
        return Ok(Some(HEADER as u64));
    }
    let mut needed = HEADER as u64;
    // Segments: the table, then what is loaded. Sections are not loaded, but what is cut off loses them first.
    for (offset, entry, count, segments) in [(32, 54, 56, true), (40, 58, 60, false)] {
        let (start, entry, count) = (u64_at(&header, offset), u16_at(&header, entry), u16_at(&header, count));
        if start == 0 || count == 0 {
            continue;
        }
        let end = start.saturating_add(u64::from(entry) * u64::from(count));
        needed = needed.max(end);
        let mut table = vec![0; usize::from(entry) * usize::from(count)];
        if end > size || read_at(file, start, &mut table)? < table.len() {
            continue;
        }
        for row in table.chunks_exact(entry.into()) {
            needed = needed.max(if segments { of_segment(row) } else { of_section(row) });
        }
    }
    Ok(Some(needed))
}

/// Where a loaded segment ends in the file.
fn of_segment(row: &[u8]) -> u64 {
    if row.len() < 40 || u32_at(row, 0) != PT_LOAD {
        return 0;
    }
    u64_at(row, 8).saturating_add(u64_at(row, 32))
}

/// Where a section ends in the file.
fn of_section(row: &[u8]) -> u64 {
    if row.len() < 40 || u32_at(row, 4) == SHT_NOBITS {
        return 0;
    }
    u64_at(row, 24).saturating_add(u64_at(row, 32))
}

/// Reads up to the end of the file or of the buffer.
fn read_at(file: &mut File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_as_long_as_it_says() {
        let path = std::env::current_exe().unwrap();
        let mut file = File::open(&path).unwrap();
        let size = file.metadata().unwrap().len();
        // Linkers put the sections' table last.
        assert_eq!(needed(&mut file).unwrap(), cfg!(target_os = "linux").then_some(size));
    }

    #[test]
    fn whatever_the_bytes_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let whole: Vec<u8> = [b"\x7fELF\x02\x01".as_slice(), &[0xff; 200]].concat();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let needed = needed(&mut File::open(&path).unwrap()).unwrap();
            assert_eq!(needed.is_none(), length < 6, "{length}");
            assert!(needed.is_none_or(|needed| needed > length as u64));
        }
    }
}
