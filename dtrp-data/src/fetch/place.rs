//! The files that a download writes: its own, never what something in their place leads to.

use crate::DataError;
use crate::files::io;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Opens a file to read and write it, with what is in it; made if it is not there.
///
/// Links are not followed, nor are pipes and devices opened, and a file that has another name as
/// well is left alone: what is written there would be written to somebody else's file.
pub(super) fn open(path: &Path) -> Result<File, DataError> {
    // Before it is opened, for a pipe would be waited for and a device may do something; and after,
    // for it may have been replaced.
    is_file(path)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(io(path, "write the file"))?;
    check(path, &file.metadata().map_err(io(path, "look at the file"))?)?;
    Ok(file)
}

/// Whether there is a file of ours; an error if something else is there.
pub(super) fn is_file(path: &Path) -> Result<bool, DataError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => check(path, &metadata).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(path, "look at the file")(error)),
    }
}

fn check(path: &Path, metadata: &fs::Metadata) -> Result<(), DataError> {
    let kind = metadata.file_type();
    let other = if kind.is_symlink() {
        "a link"
    } else if kind.is_dir() {
        "a folder"
    } else if !kind.is_file() {
        "a pipe, socket or device"
    } else if metadata.nlink() > 1 {
        "a file with a second name"
    } else {
        return Ok(());
    };
    let problem = format!("{other} stands in its place, which dtrp did not make; move it away, or name another folder");
    Err(io(path, "write the file")(Error::new(
        ErrorKind::AlreadyExists,
        problem,
    )))
}
