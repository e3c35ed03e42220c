//! A file that grows while a run goes on, and always ends in a whole piece: a line, or a record.

use crate::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file, open for as long as the run goes on.
#[derive(Debug)]
pub(super) struct Growing {
    file: File,
    /// As errors name it.
    path: PathBuf,
    /// Bytes of whole pieces.
    whole: u64,
}

impl Growing {
    /// Makes the file, which will be called `known_as`.
    pub(super) fn create(path: &Path, known_as: PathBuf) -> Result<Self, Error> {
        let file = File::create_new(path).map_err(Error::file("write", &known_as))?;
        Ok(Self {
            file,
            path: known_as,
            whole: 0,
        })
    }

    /// Opens the file to go on with it, or makes it: its first line stays, and of the others those up to the first that `keep`
    /// refuses. What is behind them, such as half a line of a run that was killed, is cut off.
    pub(super) fn go_on(path: &Path, keep: impl Fn(&str, &str) -> bool) -> Result<Self, Error> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::create(path, path.to_owned()),
            opened => opened.map_err(Error::file("write", path))?,
        };
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(Error::file("read", path))?;
        let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let first = lines.next().unwrap_or_default();
        let kept = lines.take_while(|line| keep(first.trim_end(), line.trim_end()));
        let whole = first.len() as u64 + kept.map(|line| line.len() as u64).sum::<u64>();
        Self::behind(file, path, whole)
    }

    /// Opens the file to go on with it, and locks it: lines stay up to the first that `keep` refuses.
    ///
    /// # Errors
    ///
    /// [`Error::FolderInUse`] where somebody else has locked it.
    pub(super) fn go_on_locked(path: &Path, keep: impl Fn(&str) -> bool) -> Result<Self, Error> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(Error::file("write", path))?;
        // Some file systems have no locks.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::FolderInUse(path.parent().unwrap_or(path).to_owned()));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(Error::file("read", path))?;
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        let kept = lines.take_while(|line| line.ends_with(b"\n") && std::str::from_utf8(line).is_ok_and(&keep));
        let whole = kept.map(|line| line.len() as u64).sum::<u64>();
        Self::behind(file, path, whole)
    }

    /// Goes on behind the first `whole` bytes; the others are cut off.
    fn behind(mut file: File, path: &Path, whole: u64) -> Result<Self, Error> {
        let cut = file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map_err(Error::file("write", path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            whole,
        })
    }

    /// Whether nothing stands in it yet.
    pub(super) fn is_empty(&self) -> bool {
        self.whole == 0
    }

    /// The open file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Adds a piece: all of it or nothing.
    pub(super) fn append(&mut self, piece: &[u8]) -> Result<(), Error> {
        // One call, so that a reader never sees half of it. On a full disk it may be written in part.
        let written = self.file.write_all(piece);
        if written.is_err() {
            let _ = self.file.set_len(self.whole);
        }
        written.map_err(Error::file("write", &self.path))?;
        self.whole += piece.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn it_goes_on_behind_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "n\n1\n2\n3\n4").unwrap();
        let kept = |first: &str, line: &str| first == "n" && line.parse::<u32>().is_ok_and(|n| n <= 2);
        Growing::go_on(&path, kept).unwrap().append(b"x\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "n\n1\n2\nx\n");
        fs::write(&path, "half").unwrap();
        assert!(Growing::go_on(&path, kept).unwrap().is_empty());
        fs::remove_file(&path).unwrap();
        assert!(Growing::go_on(&path, kept).unwrap().is_empty());
    }
}
