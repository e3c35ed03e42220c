//! Files that appear whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file beside its place, under a hidden name that nobody else uses (`.NAME.PID-N.part`), brings it to the disk, and
/// only then gives it its name. Who reads `path` sees what was there before or all of `content`, whenever the program or
/// the machine stops. A link that stands at `path` is replaced; what it leads to stays as it is.
///
/// # Errors
///
/// The system's answer. Nothing is left of what was written, so that a full disk is no fuller than before.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let (mut file, part) = create_beside(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    drop(file);
    let renamed = written.and_then(|()| fs::rename(&part, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&part);
    }
    renamed?;
    sync_folder_of(path);
    Ok(())
}

/// Brings the names in the folder that holds `path` to the disk. Some file systems cannot, and need not.
fn sync_folder_of(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// A new file in the folder of `path`. It is never one that was there before, nor what a link leads to.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "not the name of a file"))?;
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut part = OsString::from(".");
        part.push(name);
        part.push(format!(".{}-{number}.part", std::process::id()));
        let part = path.with_file_name(part);
        match File::create_new(&part) {
            // Left by an earlier process of this number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            file => return file.map(|file| (file, part)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A folder of this test's own.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("dtrp-whole-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = folder("replaced");
        let file = folder.join("a");
        for content in ["a longer text", "short"] {
            write_whole(&file, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
        assert_eq!(names(&folder), ["a"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_left_of_a_failure() {
        let folder = folder("failure");
        let taken = folder.join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("inside"), "").unwrap();
        assert!(write_whole(&taken, b"x").is_err());
        assert!(write_whole(&folder.join("missing/a"), b"x").is_err());
        assert_eq!(names(&folder), ["taken"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn links_are_not_followed() {
        let folder = folder("links");
        let (link, target) = (folder.join("link"), folder.join("target"));
        fs::write(&target, "somebody else's").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_whole(&link, b"mine").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "somebody else's");
        assert_eq!(fs::read_to_string(&link).unwrap(), "mine");
        fs::remove_dir_all(folder).unwrap();
    }
}
