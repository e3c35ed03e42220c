//! What is done where a plug-in ends the process: a file that is ready gets its name.
//!
//! The thread that does it is the plug-in's, in the middle of anything, and others may hold any lock. So it makes two system calls
//! with texts that were made before, and nothing else.

use dtrp_predictors::loader;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A name to give.
struct Names {
    /// Of this process: one that a plug-in has forked leaves the run's folder alone.
    process: libc::pid_t,
    from: CString,
    to: CString,
}

/// That of the run that goes on. What it leads to is never freed: the thread that looks may be at it.
static NAMES: AtomicPtr<Names> = AtomicPtr::new(ptr::null_mut());

/// A file that gets its name where a plug-in ends the process, until it is forgotten.
pub(super) struct Kept;

impl Kept {
    /// The file `from`, which becomes `to`.
    pub(super) fn new(from: &Path, to: &Path) -> Self {
        // A plug-in may change the working directory.
        let text = |path: &Path| CString::new(std::path::absolute(path).ok()?.as_os_str().as_bytes()).ok();
        if let (Some(from), Some(to)) = (text(from), text(to)) {
            // SAFETY: it takes nothing and cannot fail.
            let process = unsafe { libc::getpid() };
            let names = Box::leak(Box::new(Names { process, from, to }));
            NAMES.store(names, Ordering::Release);
            loader::before_refusing(give_name);
        }
        Self
    }

    /// The file is left as it is.
    pub(super) fn forget(&self) {
        NAMES.store(ptr::null_mut(), Ordering::Release);
    }
}

fn give_name() {
    let names = NAMES.load(Ordering::Acquire);
    // SAFETY: null, or names that live as long as the process. The calls take texts with their zeros, and may be made at any time.
    unsafe {
        if let Some(names) = names.as_ref()
            && libc::getpid() == names.process
        {
            libc::rename(names.from.as_ptr(), names.to.as_ptr());
        }
    }
}
