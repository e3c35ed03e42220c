//! What leaves the program: text on stdout, files that a user names, and what of it a terminal may see.

use crate::error::Error;
use clap::ValueEnum;
use console::Term;
use dtrp_text::{Table, break_words, write_whole};
use std::borrow::Cow;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// How a list, or what was found, is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For other programs
    Json,
}

/// Writes to stdout, all of it. Whoever reads it may stop reading (`| head`), which is no error.
///
/// # Errors
///
/// [`Error::Stdout`] where it cannot be written, as on a full disk.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = out.write_all(visible(text).as_bytes()).and_then(|()| out.flush());
    checked(written)
}

/// What came of writing to stdout.
pub(crate) fn checked(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::Stdout),
    }
}

/// Writes a file that the user has named. It appears whole or not at all; devices, pipes and what stands for them
/// (`/dev/stdout`) are written into.
pub(crate) fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Error> {
    let content = content.as_ref();
    let written = if is_special(path) {
        let file = OpenOptions::new().append(true).open(path);
        file.and_then(|mut file| file.write_all(content))
    } else {
        write_whole(path, content)
    };
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe && is_special(path) => Ok(()),
        written => written.map_err(Error::file("write", path)),
    }
}

/// The columns of the terminal behind stdout; `None` if it is none.
fn width() -> Option<usize> {
    let size = Term::stdout().size_checked();
    size.map(|(_, columns)| usize::from(columns))
        .filter(|columns| *columns > 0)
}

/// A table for stdout: where that is a terminal, in lines that fit.
pub(crate) fn fitted(table: &Table) -> String {
    width().map_or_else(|| table.to_string(), |width| table.within(width))
}

/// Lines of text for stdout: where that is a terminal, broken between words where they would not fit.
pub(crate) fn wrapped(text: &str) -> String {
    let Some(width) = width() else {
        return text.to_owned();
    };
    let mut lines = Vec::new();
    for line in text.split('\n') {
        if line.chars().count() <= width {
            lines.push(line.to_owned());
        } else {
            let indent = &line[..line.len() - line.trim_start().len()];
            let broken = break_words(line, width.saturating_sub(indent.len()));
            lines.extend(broken.iter().map(|line| format!("{indent}{line}")));
        }
    }
    lines.join("\n")
}

/// Whether a file would be in the place of something that is none.
fn is_special(path: &Path) -> bool {
    let of_the_system = ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder));
    of_the_system || fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// The text without characters that would make a terminal do something: they stand there as one would write them.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text.chars().all(harmless) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if harmless(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("ä\tb\nc"), "ä\tb\nc");
        assert_eq!(visible("a\u{1b}[31mb\r\u{7}"), "a\\u{1b}[31mb\\r\\u{7}");
    }

    #[test]
    fn files_are_replaced_and_devices_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "old").unwrap();
        write_file(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        write_file(Path::new("/dev/null"), "text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let error = write_file(folder.path(), "text").unwrap_err();
        assert_eq!(error.exit_code(), 9, "{error}");
    }
}
