//! What the host offers to plug-ins: a place for error texts, and the log.

use crate::abi;
use std::cell::RefCell;
use std::ffi::c_char;
use std::io::Write;
use std::sync::OnceLock;

/// How much a line of a plug-in's log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// For a person who watches.
    Info,
    /// For a person who searches.
    Debug,
}

/// Where the log lines of plug-ins go; by default to standard error. Only the first call has an effect.
pub fn set_logger(logger: fn(LogLevel, &str)) {
    // A second logger is no error: the first one stays.
    let _ = LOGGER.set(logger);
}

static LOGGER: OnceLock<fn(LogLevel, &str)> = OnceLock::new();

/// The one host of this process. Lives as long as it, as the header promises.
pub(super) static HOST: abi::Host = abi::Host {
    struct_size: size_of::<abi::Host>() as u64,
    abi_major: abi::MAJOR,
    abi_minor: abi::MINOR,
    set_error: Some(set_error),
    log: Some(log),
};

/// More than any message needs; a plug-in that passes a wrong size should not exhaust memory.
const MAX_TEXT: usize = 64 << 10;

thread_local! {
    static ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The text of the call that just failed on this thread; empty again afterwards.
pub(super) fn take_error() -> String {
    let text = ERROR.with(RefCell::take);
    if text.is_empty() {
        "it does not say why (host->set_error was not called)".into()
    } else {
        text
    }
}

/// Forgets what an earlier call left behind.
pub(super) fn clear_error() {
    ERROR.with(RefCell::take);
}

unsafe extern "C" fn set_error(text: *const c_char, size: usize) {
    // SAFETY: the plug-in passes a text of this size.
    let text = unsafe { abi::read_text(text, size.min(MAX_TEXT)) };
    // Fails only while the thread ends, when nobody would ask for the text.
    let _ = ERROR.try_with(|error| error.replace(text));
}

unsafe extern "C" fn log(level: i32, text: *const c_char, size: usize) {
    // SAFETY: the plug-in passes a text of this size.
    let text = unsafe { abi::read_text(text, size.min(MAX_TEXT)) };
    let level = match level {
        i32::MIN..=1 => LogLevel::Error,
        2 => LogLevel::Warn,
        3 => LogLevel::Info,
        _ => LogLevel::Debug,
    };
    match LOGGER.get() {
        Some(logger) => logger(level, &text),
        // A panic must not cross the plug-in's frames, and `eprintln` panics where stderr is closed.
        None => drop(writeln!(std::io::stderr(), "plug-in: {level:?}: {text}")),
    }
}
