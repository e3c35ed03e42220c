//! The cache folder: where it is, its lock, its temporary folders.

use super::SetupError;
use crate::context::Context;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const TEMPORARY: &str = "tmp-";

/// `$DTRP_CACHE_DIR`, else `$XDG_CACHE_HOME/dtrp`, else `~/.cache/dtrp`.
pub(crate) fn folder(context: &Context) -> Result<PathBuf, SetupError> {
    let named = |name| context.var(name).map(PathBuf::from);
    let folder = named("DTRP_CACHE_DIR")
        .or_else(|| Some(named("XDG_CACHE_HOME")?.join("dtrp")))
        .or_else(|| Some(named("HOME")?.join(".cache/dtrp")))
        .ok_or(SetupError::NoCacheFolder)?;
    std::path::absolute(&folder).map_err(SetupError::io("find the full path of", &folder))
}

/// Makes the cache folder and takes its lock; waits where another set-up has it. The lock is free again when the file
/// is dropped or its process ends, however it ends.
pub(crate) fn lock(cache: &Path) -> Result<File, SetupError> {
    std::fs::create_dir_all(cache).map_err(SetupError::io("make the folder", cache))?;
    let path = cache.join("setup.lock");
    let file = File::create(&path).map_err(SetupError::io("write", &path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            eprintln!("waiting for another set-up that works in {}", cache.display());
        }
        Err(TryLockError::Error(_)) => {}
    }
    file.lock().map_err(SetupError::io("lock", &path))?;
    Ok(file)
}

/// Removes what set-ups that were killed left behind. Call it with the lock held: then nobody is using any of it.
pub(crate) fn remove_leftovers(cache: &Path) {
    let Ok(entries) = std::fs::read_dir(cache) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            // What cannot be removed now is tried again next time; it is in nobody's way.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A temporary folder inside the cache (so that a rename brings things to their place), removed when dropped.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// Makes it.
    pub(crate) fn new(cache: &Path) -> Result<Self, SetupError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = cache.join(format!("{TEMPORARY}{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(SetupError::io("make the folder", &path))?;
        Ok(Self(path))
    }

    /// A folder in it, made if need be.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, SetupError> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path).map_err(SetupError::io("make the folder", &path))?;
        Ok(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
