//! Texts that a user names by their paths.

use std::fs::File;
use std::io::{self, Error, ErrorKind, Read};
use std::path::Path;

/// What is read of something that is no file, and so says of itself no size.
const MOST: u64 = 64 << 20;

/// Reads a text: a file, or what a shell has put in the place of one (`/dev/stdin`, `<(…)`). Of other pipes nobody knows
/// whether anything will ever be written into them; they are refused.
///
/// # Errors
///
/// What the system says; what is no file; no UTF-8; and what has no end.
pub fn read_text(path: &Path) -> io::Result<String> {
    let wrong = |problem: &str| Err(Error::new(ErrorKind::InvalidInput, problem));
    let found = std::fs::metadata(path)?;
    if found.is_file() || found.is_dir() {
        return std::fs::read_to_string(path);
    }
    if !["/dev", "/proc"].iter().any(|folder| path.starts_with(folder)) {
        return wrong("it is a pipe, socket or device and not a file");
    }
    let mut text = String::new();
    File::open(path)?.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return wrong("it has no end");
    }
    Ok(text)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_has_an_end_is_read() {
        let folder = std::env::temp_dir().join(format!("dtrp-read-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("a");
        std::fs::write(&file, "text").unwrap();
        assert_eq!(read_text(&file).unwrap(), "text");
        assert_eq!(read_text(Path::new("/dev/null")).unwrap(), "");
        for path in [&folder, Path::new("/dev/zero"), &folder.join("b")] {
            assert!(read_text(path).is_err(), "{}", path.display());
        }
        let socket = folder.join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let error = read_text(&socket).unwrap_err().to_string();
        assert!(error.contains("not a file"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
