//! SHA-256 of files.

use super::SetupError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// An error unless the file has this SHA-256 (64 hexadecimal digits).
pub(crate) fn verify(file: &Path, expected: &str) -> Result<(), SetupError> {
    let found = sha256(file).map_err(SetupError::io("read", file))?;
    if found == expected {
        return Ok(());
    }
    Err(SetupError::Checksum {
        file: file.to_path_buf(),
        expected: expected.into(),
        found,
    })
}

/// The SHA-256 of a file in hexadecimal.
pub(crate) fn sha256(file: &Path) -> std::io::Result<String> {
    let mut file = File::open(file)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
