//! What the fuzz targets share: a folder in memory for readers that take paths, and a clock that a busy machine does not
//! disturb.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder of this process alone, in memory where the system has such a place.
pub fn folder(target: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let folder = root.join(format!("dtrp-fuzz-{target}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    make(&folder);
    folder
}

/// Makes a folder, and those above it.
pub fn make(folder: &Path) {
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

/// Writes a file. Fails loudly: a full disk must not look like a reader that finds nothing wrong.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// What this thread has computed so far.
pub fn computed() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one that every Linux has, and the struct is written by the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A number that depends on all the bytes, to choose by without taking any of them from the reader.
pub fn choice(bytes: &[u8], of: u64) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash >> 32) % of
}
