//! `dtrp data fetch`: getting a data set from where its authors publish it.
//!
//! Files are downloaded beside their place under the name `FILE.part`, which a later try continues,
//! checked against the published MD5, and renamed (archives: unpacked beside their place, and
//! renamed). So what has its name is whole, whenever the program was ended.

mod download;
mod place;
mod table;
mod unpack;

use crate::DataError;
use crate::files::io;
use dtrp_text::nearest;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;
pub use table::{Remote, Source, sources};

/// Where to, where from and how patiently.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// The folder that the set's folder will be in; made if it is not there.
    pub dir: PathBuf,
    /// A mirror: an address that replaces everything before the file's name.
    pub from: Option<String>,
    /// Tries in a row that may bring nothing.
    pub tries: u32,
    /// How long to wait after such a try; twice as long after each further one.
    pub pause: Duration,
    /// How long to wait for a connection, an answer or more data.
    pub timeout: Duration,
    /// Bytes a second that an answer must bring, on average over each stretch of `timeout`.
    pub least_rate: u64,
}

impl FetchOptions {
    /// Into `dir` from the official address, four tries, two seconds apart at first, half a minute
    /// of silence, and no less than a kilobyte a second.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            from: None,
            tries: 4,
            pause: Duration::from_secs(2),
            timeout: Duration::from_secs(30),
            least_rate: 1 << 10,
        }
    }
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Bytes that are there, those of earlier tries included.
    pub done: u64,
    /// Bytes of the whole file, as published.
    pub total: Option<u64>,
}

/// Fetches a set by name and returns its folder, which is what
/// [`DataSpec::dir`](crate::DataSpec::dir) wants.
///
/// Does nothing if the set is there. `progress` is called often; it should be quick.
///
/// # Errors
///
/// [`DataError::NotFetchable`] for a name without a source; [`DataError::Fetch`] if the network or
/// the server refuses or another process is fetching the same set; [`DataError::Checksum`];
/// [`DataError::Io`] for the disk.
pub fn fetch(name: &str, options: &FetchOptions, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, DataError> {
    let names = || sources().iter().map(|source| source.dataset);
    match sources().iter().find(|source| source.dataset == name) {
        Some(source) => fetch_source(source, options, progress),
        None => Err(DataError::NotFetchable {
            dataset: name.to_string(),
            nearest: nearest(name, names()).map(str::to_owned),
            valid: names().collect::<Vec<_>>().join(", "),
        }),
    }
}

/// Fetches from a source of your own, as [`fetch`] does.
///
/// # Errors
///
/// Those of [`fetch`].
pub fn fetch_source(
    source: &Source,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, DataError> {
    let folder = options.dir.join(source.folder);
    if source.archive && folder.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&options.dir).map_err(io(&options.dir, "make the folder"))?;
    let base = options.from.as_deref().unwrap_or(source.base);
    let base = base.trim_end_matches('/');
    let _lock = lock(source, options, base)?;
    let place = if source.archive {
        options.dir.as_path()
    } else {
        folder.as_path()
    };
    fs::create_dir_all(place).map_err(io(place, "make the folder"))?;
    for remote in source.files {
        let target = place.join(remote.name);
        let address = format!("{base}/{}", remote.name);
        if !(target.exists() && download::md5(&target)? == remote.md5) {
            place::is_file(&target)?;
            download::download(&address, &target, remote, options, progress)?;
        }
        if source.archive {
            unpack::unpack(&target, &folder)?;
            fs::remove_file(&target).map_err(io(&target, "remove the file"))?;
        }
    }
    Ok(folder)
}

/// Keeps two processes from writing to the same files. The system lets go of the lock when the
/// process ends.
fn lock(source: &Source, options: &FetchOptions, base: &str) -> Result<File, DataError> {
    let path = options.dir.join(format!(".{}.lock", source.dataset));
    let file = place::open(&path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(DataError::Fetch {
            address: base.to_string(),
            problem: format!(
                "another process is fetching it into {}; wait for that",
                options.dir.display()
            ),
        }),
        // A file system without locks is no reason not to go on.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// `FILE` with something after it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}
