//! Making the run's folder without losing an earlier one, and writing its files whole.

use super::metrics::METRICS;
use crate::error::Error;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The folder of one run.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes `dir/name`. What is there already is moved to `name.1`, `name.2`, ..., and where to is returned.
    pub(crate) fn create(dir: &Path, name: &str) -> Result<(Self, Option<PathBuf>), Error> {
        fs::create_dir_all(dir).map_err(Error::file("make the folder", dir))?;
        let path = dir.join(name);
        let mut moved = None;
        loop {
            match fs::create_dir(&path) {
                Ok(()) => return Ok((Self { path }, moved)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    moved = Some(move_away(dir, name)?);
                }
                Err(error) => return Err(Error::file("make the folder", &path)(error)),
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the folder: it appears whole or not at all.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<(), Error> {
        write_atomically(&self.path.join(name), content)
    }
}

/// Writes a file: it appears whole or not at all.
pub(crate) fn write_atomically(path: &Path, content: &str) -> Result<(), Error> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(Error::file("write", path))
}

/// Renames `dir/name` to the first of `name.1`, `name.2`, ... that is free.
fn move_away(dir: &Path, name: &str) -> Result<PathBuf, Error> {
    let old = dir.join(name);
    if in_use(&old) {
        return Err(Error::FolderInUse(old));
    }
    let numbered = (1..).map(|number: u64| dir.join(format!("{name}.{number}")));
    for new in numbered {
        // Not merely "does not exist": a link that leads nowhere is in the way too.
        if new.symlink_metadata().is_ok() {
            continue;
        }
        return match fs::rename(&old, &new) {
            Ok(()) => Ok(new),
            Err(error) => Err(Error::file("move the earlier run away", &old)(error)),
        };
    }
    Err(Error::Bug("all numbers are taken".to_owned()))
}

/// A run that goes on holds a lock on its metrics.
fn in_use(folder: &Path) -> bool {
    let Ok(metrics) = File::open(folder.join(METRICS)) else {
        return false;
    };
    matches!(metrics.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_runs_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for run in 0..3 {
            let (folder, moved) = Folder::create(dir.path(), "a").unwrap();
            folder.write("x", &run.to_string()).unwrap();
            let expected = (run > 0).then(|| dir.path().join(format!("a.{run}")));
            assert_eq!(moved, expected);
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name).join("x")).unwrap();
        assert_eq!([read("a.1"), read("a.2"), read("a")], ["0", "1", "2"]);
        assert!(!dir.path().join("a/x.part").exists());
    }

    #[test]
    fn a_run_that_goes_on_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, _) = Folder::create(dir.path(), "a").unwrap();
        let metrics = super::super::Metrics::create(&folder, 1).unwrap();
        let error = Folder::create(dir.path(), "a").unwrap_err();
        assert!(matches!(error, Error::FolderInUse(_)), "{error}");
        drop(metrics);
        assert!(Folder::create(dir.path(), "a").is_ok());
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Folder::create(&file, "a").unwrap_err();
        assert_eq!(error.exit_code(), 9, "{error}");
    }
}
