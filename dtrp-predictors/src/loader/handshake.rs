//! From an address to an entry that may be called.

use crate::{PluginError, abi};
use std::{mem::offset_of, path::Path};

/// Reads the entry at `address`: magic, major version and size before anything else, and all of it before anything is
/// called. A struct of a later minor version is longer, and read as far as this program knows it.
///
/// # Safety
///
/// `address` is that of the symbol `dtrp_predictor_entry` of a loaded library: as many bytes are readable as its
/// `struct_size` says, if it has the right magic, and as many as the header fields otherwise.
pub(super) unsafe fn read_entry(path: &Path, address: *const abi::Entry) -> Result<abi::Entry, PluginError> {
    let path = || path.to_owned();
    if address.is_null() || !address.is_aligned() {
        return Err(PluginError::NoEntry { path: path() });
    }
    // SAFETY: the magic is the first field, and readable by the caller's promise.
    let magic = unsafe { (&raw const (*address).magic).read() };
    if magic != abi::MAGIC {
        return Err(PluginError::Magic {
            path: path(),
            found: String::from_utf8_lossy(&magic).into_owned(),
        });
    }
    // SAFETY: in the header, readable by the caller's promise.
    let (major, size) = unsafe { ((*address).abi_major, (*address).struct_size) };
    if major != abi::MAJOR {
        return Err(PluginError::Major {
            path: path(),
            major,
            host: abi::MAJOR,
        });
    }
    let needed = size_of::<abi::Entry>() as u64;
    if size < needed {
        return Err(PluginError::TooShort {
            path: path(),
            name: "dtrp_entry",
            size,
            needed,
        });
    }
    // SAFETY: it says that it has at least this size.
    let entry = unsafe { address.read() };
    for (function, there) in [
        ("count", entry.count.is_some()),
        ("descriptor", entry.descriptor.is_some()),
        ("create", entry.create.is_some()),
    ] {
        if !there {
            return Err(PluginError::MissingFunction { path: path(), function });
        }
    }
    Ok(entry)
}

/// Reads the table of an instance within its size. What came after the first version may be missing.
///
/// # Safety
///
/// `table` is null or what `create` of a plug-in gave.
pub(super) unsafe fn read_table(path: &Path, table: *const abi::Predictor) -> Result<abi::Predictor, PluginError> {
    // SAFETY: the caller's promise.
    let read = unsafe { abi::read_within(table) };
    let Some(table) = read else {
        return Err(PluginError::MissingFunction {
            path: path.to_owned(),
            function: "create (it gave a null instance)",
        });
    };
    let needed = offset_of!(abi::Predictor, observe) as u64;
    if table.struct_size < needed {
        return Err(PluginError::TooShort {
            path: path.to_owned(),
            name: "dtrp_predictor",
            size: table.struct_size,
            needed,
        });
    }
    for (function, there) in [("destroy", table.destroy.is_some()), ("rule", table.rule.is_some())] {
        if !there {
            return Err(PluginError::MissingFunction {
                path: path.to_owned(),
                function,
            });
        }
    }
    Ok(table)
}
