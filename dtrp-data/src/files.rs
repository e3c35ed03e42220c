//! What the readers of files share: finding folders, sizes, faults with their offset.

use crate::DataError;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Something wrong in a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Bytes from the start of the (unpacked) content.
    pub(crate) offset: u64,
    /// What is wrong and what to do.
    pub(crate) problem: String,
}

impl Fault {
    pub(crate) fn new(offset: usize, problem: impl Into<String>) -> Self {
        Self {
            offset: offset as u64,
            problem: problem.into(),
        }
    }

    pub(crate) fn at(self, path: &Path) -> DataError {
        DataError::Corrupt {
            path: path.to_path_buf(),
            offset: self.offset,
            problem: self.problem,
        }
    }
}

/// For `map_err`: an error of the system at `path`.
pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_path_buf();
    move |source| DataError::Io { path, action, source }
}

/// Opens a file to read it. Pipes, sockets and devices are refused: they could keep the program waiting for ever.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Looked at twice: opening a device may do something, and a file may be replaced after the first look.
    plain(&std::fs::metadata(path)?)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// A file's content; see [`open`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let read = |mut file: File| {
        // A byte more than there should be, so that the end shows at once.
        let size = file.metadata()?.len().min(1 << 30) as usize;
        let mut bytes = Vec::with_capacity(size + 1);
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    open(path).and_then(read).map_err(io(path, "read the file"))
}

/// Whether a pipe, a socket or a device is there.
pub(crate) fn may_wait(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// An error for what is not a file with bytes in it.
pub(crate) fn plain(metadata: &std::fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let problem = if metadata.is_dir() {
        "it is a folder; remove it, or name a file"
    } else {
        "it is a pipe, socket or device and not a file; replace it by a file"
    };
    Err(io::Error::new(ErrorKind::InvalidInput, problem))
}

/// The first of `dir` and its sub-folders `inner` that `has` the set.
///
/// `help` says how the folder should look and where to get it.
pub(crate) fn locate(
    dataset: &str,
    dir: Option<&Path>,
    inner: &[&str],
    help: String,
    has: impl Fn(&Path) -> bool,
) -> Result<PathBuf, DataError> {
    let Some(dir) = dir else {
        return Err(DataError::Dir {
            dataset: dataset.to_string(),
            problem: format!("is missing: {help}"),
        });
    };
    let missing = |path: &Path, help| DataError::Missing {
        dataset: dataset.to_string(),
        path: path.to_path_buf(),
        help,
    };
    if !dir.exists() {
        return Err(missing(dir, help));
    }
    let mut places = std::iter::once(dir.to_path_buf()).chain(inner.iter().map(|inner| dir.join(inner)));
    if let Some(place) = places.find(|place| has(place)) {
        return Ok(place);
    }
    let inside = inner.first().map_or_else(|| dir.to_path_buf(), |inner| dir.join(inner));
    Err(missing(&inside, help))
}

/// A file's size in bytes.
pub(crate) fn size(dataset: &str, path: &Path) -> Result<u64, DataError> {
    match std::fs::metadata(path) {
        Ok(metadata) => match plain(&metadata) {
            Ok(()) => Ok(metadata.len()),
            Err(error) => Err(io(path, "read the file")(error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Err(DataError::Missing {
            dataset: dataset.to_string(),
            path: path.to_path_buf(),
            help: format!(
                "the folder is incomplete: remove it and get the set again, \
                 `dtrp data fetch {dataset}`"
            ),
        }),
        Err(error) => Err(io(path, "look at the file")(error)),
    }
}

/// A file's content, unpacked if its name ends in `.gz`.
///
/// `size` tells from the first bytes how many there should be, if it can. No more than one byte
/// beyond is unpacked, so that a small file cannot fill the memory.
pub(crate) fn read_unpacked(path: &Path, size: impl Fn(&[u8]) -> Option<u64>) -> Result<Vec<u8>, DataError> {
    let mut file = open(path).map_err(io(path, "read the file"))?;
    let mut bytes = Vec::new();
    if path.extension().is_none_or(|extension| extension != "gz") {
        file.read_to_end(&mut bytes).map_err(io(path, "read the file"))?;
        return Ok(bytes);
    }
    if file.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) {
        return Err(Fault::new(0, "the file is empty; get it again").at(path));
    }
    let mut unpacked = flate2::read::MultiGzDecoder::new(io::BufReader::new(file));
    let mut read = |most, bytes: &mut Vec<u8>| match unpacked.by_ref().take(most).read_to_end(bytes) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error().is_some() => Err(io(path, "read the file")(error)),
        Err(error) => {
            let problem = format!("the compressed data is damaged or truncated after this unpacked byte ({error})");
            Err(Fault::new(bytes.len(), problem + "; get the file again").at(path))
        }
    };
    read(HEADER, &mut bytes)?;
    if let Some(size) = size(&bytes) {
        read(size.saturating_add(1).saturating_sub(bytes.len() as u64), &mut bytes)?;
    }
    Ok(bytes)
}

/// Unpacked bytes that every header is within.
const HEADER: u64 = 64;
