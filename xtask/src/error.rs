//! What can go wrong, and the exit code of each class.

use std::fmt;

/// The result of most functions here.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// An error of `cargo xtask`, told once, at the end.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line makes no sense (exit code 2).
    Usage(String),
    /// libtorch could not be set up (exit code 3): what, where, what to do.
    Setup(String),
    /// A program that was started failed; its exit code is handed through.
    Child {
        /// The program with its arguments, as one would type it.
        what: String,
        /// Its exit code; 128 + the signal's number where a signal ended it.
        code: u8,
    },
    /// A check of `ci` found something (exit code 1).
    Check(String),
    /// A step of `ci` cannot be done here, and why: told, and no failure.
    Skipped(String),
    /// An error that has been printed already.
    Told(Box<Error>),
    /// A program could not be started, or a file not be read (exit code 1).
    Io {
        /// What was tried, and on what.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Error {
    /// The exit code that `cargo xtask --help` documents.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Setup(_) => 3,
            Self::Child { code, .. } => *code,
            Self::Check(_) | Self::Skipped(_) | Self::Io { .. } => 1,
            Self::Told(error) => error.exit_code(),
        }
    }

    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => write!(f, "error: {text}\n  what to do: see `cargo xtask --help`"),
            Self::Setup(text) => f.write_str(text),
            Self::Child { what, code } => {
                write!(f, "error: `{what}` failed with exit code {code}")
            }
            Self::Told(error) => error.fmt(f),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::Check(text) => write!(f, "error: {text}"),
            Self::Io { what, source } => write!(f, "error: could not {what}: {source}"),
        }
    }
}
