//! Who may end the process: not a plug-in.
//!
//! A plug-in that calls `exit(0)` would make a run that has not come to its end look like one that has. So every call into a
//! plug-in is noted in its thread, and a handler that `exit` calls looks there. A program that wants more says that nothing
//! but itself ends it ([`only_we_exit`]), and then also threads that a plug-in has started are noticed.
//!
//! That handler is one of many, and what libraries do before it may crash while workers are at work; and `_exit` calls none. So
//! a program can put functions of its own in the place of both, which call [`foreign_exit`].

use libc::c_int;
use std::{
    cell::Cell,
    ffi::c_void,
    fmt::Write,
    path::Path,
    sync::{
        Mutex, Once, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

/// The exit code of a process that a plug-in has ended.
const PLUGIN: c_int = 8;

/// A call into a plug-in that has not come back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) path: &'static Path,
    /// The predictor, once there is one.
    pub(super) id: Option<&'static str>,
    pub(super) call: &'static str,
}

thread_local! {
    /// Without a destructor, so that it can be read while the thread ends.
    static CALL: Cell<Option<Call>> = const { Cell::new(None) };
}

/// Every file that has been loaded, or was about to be.
static FILES: Mutex<Vec<&'static Path>> = Mutex::new(Vec::new());
/// The process that has said so; 0 before.
static GUARDED: AtomicU32 = AtomicU32::new(0);
/// What is done before a process ends that a plug-in wants to end.
static BEFORE: OnceLock<fn()> = OnceLock::new();
/// Whether it ends by itself.
static ENDING: AtomicBool = AtomicBool::new(false);

/// How what is said last is written to stderr.
static LAST_WORDS: OnceLock<LastWords> = OnceLock::new();

/// A message, and the exit code of the process that ends with it, as bytes for stderr.
pub type LastWords = fn(&str, i32) -> String;

/// Gives the form of the message with which the process ends where a plug-in has ended it, once. It is `error: MESSAGE` otherwise.
pub fn set_last_words(form: LastWords) {
    let _ = LAST_WORDS.set(form);
}

/// The calling thread is in a plug-in until this is dropped.
#[derive(Debug)]
pub(super) struct Inside(Option<Call>);

impl Inside {
    pub(super) fn of(call: Call) -> Self {
        Self(CALL.replace(Some(call)))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        CALL.set(self.0);
    }
}

/// Takes note of a file whose code is about to run. Before its own handlers are there, so that ours comes after them.
pub(super) fn expect(path: &'static Path) {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // SAFETY: a function that may be called at any time. Where there is no room for it, nothing is noticed.
        unsafe { libc::atexit(at_exit) };
    });
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    if !files.contains(&path) {
        files.push(path);
    }
}

/// From now on this process ends with [`end`], or by returning from `main` after [`ending`]; if it ends in another way once
/// a plug-in has been loaded, that was the plug-in. For a program's `main`.
pub fn only_we_exit() {
    GUARDED.store(std::process::id(), Ordering::Release);
}

/// Has this called where a plug-in ends the process, after the error has been told; the first one that is given stays. It is
/// called in whatever state the process is, by the thread that ends it, perhaps by several, and perhaps in a process that a
/// plug-in has forked: it may do only what a handler of signals may, and must wait for nobody.
pub fn before_refusing(function: fn()) {
    let _ = BEFORE.set(function);
}

/// The process is about to end by itself.
pub fn ending() {
    ENDING.store(true, Ordering::Release);
}

/// Whether code of a plug-in has run in this process, or may have: from then on anything in it may hang or end the process,
/// its constructors, threads and what it does at the end included.
pub fn touched() -> bool {
    !FILES.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// Ends the process at once, without what libraries have left to do at its end. To be called where a plug-in was loaded, which
/// may hang there or call `exit` once more, and where a thread has been left behind. Whatever the program has not yet written
/// is lost.
pub fn end(code: i32) -> ! {
    ending();
    now(code)
}

/// What a program's own `_exit` does, and with `handlers` its own `exit`: what the system's does, unless it is a plug-in that
/// called it.
pub fn foreign_exit(code: i32, handlers: bool) -> ! {
    refuse();
    #[cfg(target_os = "linux")]
    if handlers {
        // SAFETY: a name with its zero; what is found is the function of the system, of this type.
        unsafe {
            let exit = libc::dlsym(libc::RTLD_NEXT, c"exit".as_ptr());
            if !exit.is_null() {
                std::mem::transmute::<*mut c_void, extern "C" fn(c_int) -> !>(exit)(code);
            }
        }
    }
    let _ = handlers;
    now(code)
}

extern "C" fn at_exit() {
    refuse();
}

/// Ends the process with the exit code of plug-ins, and says so, if it is a plug-in that wants to end it.
fn refuse() {
    if ENDING.load(Ordering::Acquire) {
        return;
    }
    let mut text = String::new();
    match CALL.get() {
        Some(Call { path, id, call }) => {
            let path = path.display();
            let _ = match id {
                Some(id) => write!(text, "`{id}` of {path} ended the program in `{call}`"),
                None => write!(text, "the plug-in {path} ended the program in `{call}`"),
            };
        }
        None if GUARDED.load(Ordering::Acquire) == std::process::id() => {
            // A thread that holds the list is not waited for: nothing may hang here.
            let files = FILES.try_lock();
            let Ok(files) = files.as_deref() else { return };
            if files.is_empty() {
                return;
            }
            let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
            let _ = write!(
                text,
                "something ended the program, most likely the plug-in {}",
                names.join(" or ")
            );
        }
        None => return,
    }
    text.push_str(" by calling `exit`; a plug-in must return, and say with its status what went wrong");
    let text = match LAST_WORDS.get() {
        Some(form) => form(&text, PLUGIN),
        None => format!("error: {text}\n"),
    };
    // SAFETY: the bytes are there. The locks of Rust's stderr may be held by a thread that has stopped for ever.
    unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast::<c_void>(), text.len()) };
    if let Some(function) = BEFORE.get() {
        function();
    }
    now(PLUGIN);
}

/// Ends the process without anything else.
fn now(code: c_int) -> ! {
    #[cfg(target_os = "linux")]
    // SAFETY: as `_exit` does it, which may be a function of the program that calls this one.
    unsafe {
        libc::syscall(libc::SYS_exit_group, code);
    }
    // SAFETY: without conditions.
    unsafe { libc::_exit(code) }
}
