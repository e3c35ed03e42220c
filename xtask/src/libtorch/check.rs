//! Whether a folder is a libtorch of the right version.

use super::error::wrong_flavor;
use super::{Flavor, SetupError, VERSION};
use std::path::{Path, PathBuf};

/// The kind of the libtorch in `folder`, or what is wrong with it.
pub(crate) fn check(folder: &Path) -> Result<Flavor, String> {
    if !folder.is_dir() {
        return Err("there is no such folder".into());
    }
    let lib = folder.join("lib");
    if !lib.join("libtorch.so").is_file() && !lib.join("libtorch_cpu.so").is_file() {
        return Err("it has no lib/libtorch.so and no lib/libtorch_cpu.so".into());
    }
    if !folder.join("include/torch").is_dir() {
        return Err("it has no include/torch".into());
    }
    if let Some(version) = version(folder)
        && !is_right_version(&version)
    {
        return Err(format!("it is version {version}, where {VERSION} is needed"));
    }
    Ok(if lib.join("libtorch_cuda.so").is_file() {
        Flavor::Cuda
    } else {
        Flavor::Cpu
    })
}

/// Checks the folder in `LIBTORCH` and hands it back.
pub(crate) fn users_folder(folder: &Path, wanted: Option<Flavor>) -> Result<PathBuf, SetupError> {
    let bad = |problem| SetupError::BadUserFolder {
        folder: folder.to_path_buf(),
        problem,
    };
    if !folder.is_absolute() {
        // Build scripts run in the folder of their own crate, so a relative path would mean another place to each.
        return Err(bad("that is not a full path".into()));
    }
    let flavor = check(folder).map_err(bad)?;
    match wanted {
        Some(Flavor::Cuda) if flavor == Flavor::Cpu => Err(bad(wrong_flavor(Flavor::Cuda))),
        _ => Ok(folder.to_path_buf()),
    }
}

/// `2.11.0` and `2.11.0+cu130` are right.
pub(crate) fn is_right_version(version: &str) -> bool {
    version.trim().split('+').next() == Some(VERSION)
}

/// The version that the folder states: libtorch in `build-version`, an installed PyTorch in `version.py`.
fn version(folder: &Path) -> Option<String> {
    if let Ok(text) = std::fs::read_to_string(folder.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = std::fs::read_to_string(folder.join("version.py")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim().trim_matches(['\'', '"']).to_owned())
}
