//! From nothing to a complete folder in the cache.
//!
//! Everything is put together in a temporary folder inside the cache and renamed at the end, so a folder under its final
//! name is always complete. One set-up works at a time; the lock of a killed one is free at once.

use super::error::mb;
use super::wheels::WheelSet;
use super::{SetupError, VERSION, cache, check, checksum, link, pip, space, unpack};
use crate::context::Context;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The folder for `LIBTORCH`, from the cache if it is there and `force` is not set, else by pip.
pub(crate) fn from_cache_or_pip(context: &Context, set: &WheelSet, force: bool) -> Result<PathBuf, SetupError> {
    let cache = cache::folder(context)?;
    let root = cache.join(&set.folder);
    // Joining an empty name would leave a slash at the end.
    let ready = if set.inside.is_empty() {
        root.clone()
    } else {
        root.join(set.inside)
    };
    if !force && root.exists() {
        return complete(ready);
    }
    if context.platform != "linux-x86_64" {
        return Err(SetupError::Platform {
            platform: context.platform.clone(),
        });
    }
    let python = context.find_program("python3").ok_or(SetupError::NoPython)?;
    let _lock = cache::lock(&cache)?;
    if !force && root.exists() {
        // Another set-up made it while this one waited.
        return complete(ready);
    }
    cache::remove_leftovers(&cache);
    space::check(context, &cache, set.peak_bytes())?;
    let total = set.wheels.iter().map(|wheel| wheel.bytes).sum();
    eprintln!(
        "fetching libtorch {VERSION} ({}) with pip: {} to download",
        set.flavor,
        mb(total)
    );
    eprintln!("  into {}", root.display());
    let temporary = cache::Temporary::new(&cache)?;
    let new = temporary.folder("new")?;
    for (number, wheel) in set.wheels.iter().enumerate() {
        let (count, start) = (set.wheels.len(), Instant::now());
        let title = format!("{} {}, {}", wheel.name, wheel.version, mb(wheel.bytes));
        eprintln!("  [{}/{count}] {title}", number + 1);
        // A folder each, removed at once: the disk never holds two large wheels.
        let (folder, scratch) = (temporary.folder("wheel")?, temporary.folder("pip")?);
        let file = pip::download(context, &python, wheel, &folder, &scratch)?;
        let downloaded = start.elapsed().as_secs_f64();
        checksum::verify(&file, wheel.sha256)?;
        unpack::unpack(context, &python, &file, &new, wheel.keep)?;
        let unpacked = start.elapsed().as_secs_f64() - downloaded;
        eprintln!("    downloaded in {downloaded:.1} s, verified and unpacked in {unpacked:.1} s");
        for folder in [folder, scratch] {
            std::fs::remove_dir_all(&folder).map_err(SetupError::io("remove", &folder))?;
        }
    }
    finish(set, &new)?;
    if root.exists() {
        let old = temporary.folder("old")?.join("root");
        std::fs::rename(&root, &old).map_err(SetupError::io("replace", &root))?;
    }
    std::fs::rename(&new, &root).map_err(SetupError::io("make the folder", &root))?;
    complete(ready)
}

/// What the wheels do not have: the version, and the links of the set.
fn finish(set: &WheelSet, new: &Path) -> Result<(), SetupError> {
    let version = new.join(set.inside).join("build-version");
    std::fs::write(&version, format!("{VERSION}\n")).map_err(SetupError::io("write", &version))?;
    for (name, target) in set.links {
        let path = new.join(name);
        link::symlink(Path::new(target), &path).map_err(SetupError::io("make the link", &path))?;
    }
    complete(new.join(set.inside)).map(|_| ())
}

fn complete(folder: PathBuf) -> Result<PathBuf, SetupError> {
    match check::check(&folder) {
        Ok(_) => Ok(folder),
        Err(problem) => Err(SetupError::BadCache { folder, problem }),
    }
}
