//! The file of a library: whether it is whole, which one it is, and how it is loaded.

use super::elf;
use crate::{PluginError, abi};
use sha2::{Digest, Sha256};
use std::{fs::File, io::Read, path::Path};

/// SHA-256 of a file that is a whole library, in hexadecimal.
pub(super) fn examine(path: &Path) -> Result<String, PluginError> {
    let unreadable = |source| PluginError::File {
        path: path.into(),
        source,
    };
    let unusable = |reason: String| PluginError::Load {
        path: path.into(),
        reason,
    };
    // A pipe would be waited for.
    if !path.is_file() {
        return Err(unusable("it is no file".to_owned()));
    }
    match elf::fault(path).map_err(unreadable)? {
        None => hash(path).map_err(unreadable),
        Some(fault) => Err(unusable(fault)),
    }
}

/// SHA-256 of a file, in hexadecimal.
fn hash(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Loads a library for ever and finds its entry.
pub(super) fn load(path: &Path) -> Result<*const abi::Entry, PluginError> {
    let fail = |error: libloading::Error| PluginError::Load {
        path: path.into(),
        reason: error.to_string(),
    };
    #[cfg(unix)]
    let library = {
        use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
        // SAFETY: running the constructors of a library that the user names is what loading a plug-in means.
        unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(fail)?
    };
    #[cfg(not(unix))]
    // SAFETY: as above.
    let library = unsafe { libloading::Library::new(path) }.map_err(fail)?;
    // SAFETY: the symbol is data, of which only the address is taken.
    let symbol = unsafe { library.get::<*const abi::Entry>(abi::SYMBOL.as_bytes()) };
    let address = symbol
        .map(|symbol| *symbol)
        .map_err(|_| PluginError::NoEntry { path: path.into() });
    // Never unloaded, and not even when it turns out to be no plug-in: its constructors may have started threads.
    std::mem::forget(library);
    address
}
