//! Whether the file of a library is whole. The system maps a library's segments without looking whether the file has them;
//! what is cut off, by a copy that was not finished, say, ends the process with a signal when it is touched.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const MAGIC: &[u8; 4] = b"\x7fELF";
/// Of 64 bits, little-endian; others are for the system to refuse.
const CLASS_AND_DATA: [u8; 2] = [2, 1];
const HEADER: usize = 64;
const SEGMENT: usize = 56;

/// What is wrong with the file, if anything is. Files of other kinds are for the system to refuse.
pub(super) fn fault(path: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut header = [0; HEADER];
    let read = read_up_to(&mut file, &mut header)?;
    if read == 0 {
        return Ok(Some("it is empty".to_owned()));
    }
    if !header.starts_with(MAGIC) {
        return Ok((read < HEADER).then(|| "it is too short for a library".to_owned()));
    }
    let cut = |needed: u64| {
        format!("it is cut off: it has {size} bytes, and says that there are at least {needed}; build or copy it again")
    };
    if read < HEADER {
        return Ok(Some(cut(HEADER as u64)));
    }
    if header[4..6] != CLASS_AND_DATA {
        return Ok(None);
    }
    let (segments, sections) = (long(&header, 32), long(&header, 40));
    let [segment_size, segment_count] = [54, 56].map(|at| u64::from(short(&header, at)));
    let [section_size, section_count] = [58, 60].map(|at| u64::from(short(&header, at)));
    let mut needed = segments.saturating_add(segment_size * segment_count);
    needed = needed.max(sections.saturating_add(section_size * section_count));
    if needed > size {
        return Ok(Some(cut(needed)));
    }
    if segment_size as usize != SEGMENT {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(segments))?;
    for _ in 0..segment_count {
        let mut segment = [0; SEGMENT];
        file.read_exact(&mut segment)?;
        let end = long(&segment, 8).saturating_add(long(&segment, 32));
        if end > size {
            return Ok(Some(cut(end)));
        }
    }
    Ok(None)
}

/// As much as there is.
fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(all(test, target_os = "linux", target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_noticed() {
        // Any ELF file will do: this test is one.
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.so");
        let fault_of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            fault(&path).unwrap()
        };
        assert_eq!(fault_of(&whole), None);
        for length in [0, 1, 4, 63, 64, 100, 4096, whole.len() / 2, whole.len() - 1] {
            let fault = fault_of(&whole[..length]);
            assert!(fault.is_some(), "{length} bytes");
        }
        // What is no library at all is for the system to refuse.
        assert_eq!(fault_of(&[b'x'; 100]), None);
    }
}
