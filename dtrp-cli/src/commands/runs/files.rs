//! Marks by which files and folders are known again: what a configuration names may change behind the same path.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The marks, each made once: all runs of a comparison name much the same files.
#[derive(Debug)]
pub(crate) struct Marks {
    /// The folder of the runs, which grows meanwhile, and may lie among the data.
    except: PathBuf,
    known: HashMap<PathBuf, String>,
}

impl Marks {
    /// For runs that go into this folder.
    pub(crate) fn new(runs: &Path) -> Self {
        Self {
            except: std::path::absolute(runs).unwrap_or_else(|_| runs.to_owned()),
            known: HashMap::new(),
        }
    }

    /// Of a file its bytes and their SHA-256; of a folder the number of its files, their bytes, and the SHA-256 of their names,
    /// sizes and times of change.
    pub(super) fn of(&mut self, path: &Path) -> &str {
        let except = &self.except;
        let mark = self.known.entry(path.to_owned());
        mark.or_insert_with(|| mark_of(path, except).unwrap_or_else(|error| format!("unreadable: {error}")))
    }
}

fn mark_of(path: &Path, except: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let found = fs::metadata(path)?;
    if found.is_file() {
        let mut file = File::open(path)?;
        let mut piece = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(format!("{bytes} bytes, SHA-256 {}", hex(hash))),
                count => {
                    bytes += count;
                    hash.update(&piece[..count]);
                }
            }
        }
    }
    let mut files = BTreeMap::new();
    if found.is_dir() {
        collect(path, path, except, &mut files)?;
    }
    let mut bytes = 0;
    for (name, found) in &files {
        bytes += found.len();
        hash.update(name.as_os_str().as_bytes());
        hash.update(format!("\0{} {} {}\n", found.len(), found.mtime(), found.mtime_nsec()));
    }
    let count = files.len();
    Ok(format!(
        "{count} files, {bytes} bytes, SHA-256 of their list {}",
        hex(hash)
    ))
}

/// The files of a folder and of those in it, by their names from `root` on. What is hidden is no data, and of links the files count
/// to which they lead, but no folders, which may lead back.
fn collect(root: &Path, folder: &Path, except: &Path, files: &mut BTreeMap<PathBuf, Metadata>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().as_bytes().starts_with(b".") || std::path::absolute(&path)? == except {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(root, &path, except, files)?;
        } else if let Ok(found) = fs::metadata(&path)
            && found.is_file()
        {
            files.insert(path.strip_prefix(root).unwrap_or(&path).to_owned(), found);
        }
    }
    Ok(())
}

fn hex(hash: Sha256) -> String {
    let mut text = String::new();
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_has_another_mark() {
        let place = tempfile::tempdir().unwrap();
        let (data, runs) = (place.path().join("data"), place.path().join("data/runs"));
        fs::create_dir_all(data.join("a")).unwrap();
        fs::create_dir(&runs).unwrap();
        let mark = |path: &Path| Marks::new(&runs).of(path).to_owned();
        let mut marks = vec![mark(&data)];
        let mut new = |what: &str| {
            let now = mark(&data);
            assert!(!marks.contains(&now), "{what}: {now}");
            marks.push(now);
        };
        fs::write(data.join("a/x"), "1").unwrap();
        new("a file more");
        fs::write(data.join("a/x"), "12").unwrap();
        new("another size");
        let file = File::options().write(true).open(data.join("a/x")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        new("another time");
        fs::rename(data.join("a/x"), data.join("a/y")).unwrap();
        new("another name");
        // Runs and what is hidden are no data.
        let before = mark(&data);
        fs::write(runs.join("x"), "1").unwrap();
        fs::write(data.join(".x"), "1").unwrap();
        assert_eq!(mark(&data), before);
        assert!(before.starts_with("1 files, 2 bytes, "), "{before}");
        // A file is known by its bytes, whenever they were written.
        let file = place.path().join("w");
        fs::write(&file, "a").unwrap();
        let before = mark(&file);
        fs::write(&file, "b").unwrap();
        assert_ne!(mark(&file), before);
        fs::write(&file, "a").unwrap();
        assert_eq!(mark(&file), before);
        assert!(mark(&place.path().join("none")).starts_with("unreadable: "));
    }
}
