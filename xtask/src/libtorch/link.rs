//! The link `.libtorch`.

use super::{Flavor, SetupError, check};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// What pointing the link changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It led there already.
    None,
    /// It is new, or leads to another folder of the same kind.
    Linked,
    /// It led to another kind of libtorch before.
    Switched,
}

/// Where the link leads.
pub(crate) fn target(link: &Path) -> Option<PathBuf> {
    std::fs::read_link(link).ok()
}

/// Makes the link lead to `folder`, in one step: nobody ever sees it missing or half made.
pub(crate) fn point(link: &Path, folder: &Path, flavor: Flavor) -> Result<Change, SetupError> {
    // One look decides: between two, another set-up may make the link.
    let other = |found: std::fs::Metadata| !found.file_type().is_symlink();
    if link.symlink_metadata().is_ok_and(other) {
        return Err(SetupError::LinkInTheWay {
            link: link.to_path_buf(),
        });
    }
    let before = target(link);
    if before.as_deref() == Some(folder) {
        return Ok(Change::None);
    }
    let switched = before.is_some() && check::check(link).ok() != Some(flavor);
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = link.with_file_name(format!(".libtorch-{}-{number}", std::process::id()));
    symlink(folder, &temporary).map_err(SetupError::io("make the link", &temporary))?;
    std::fs::rename(&temporary, link).map_err(|source| {
        let _ = std::fs::remove_file(&temporary);
        SetupError::io("make the link", link)(source)
    })?;
    Ok(if switched { Change::Switched } else { Change::Linked })
}

/// A symbolic link; elsewhere than on Unix set-up stops with a message long before it would make one.
pub(crate) fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, link);
    #[cfg(not(unix))]
    return Err(std::io::Error::other(format!(
        "no links here: {} -> {}",
        link.display(),
        target.display()
    )));
}
