//! Loads plug-ins: finds the exported symbol, shakes hands, and turns instances into [`Predictor`](crate::Predictor)s.
//!
//! The host defends itself against mistakes, not against malice: a plug-in is code in this process, and a wild write or a
//! call of `abort` cannot be survived. What can be noticed is noticed when a predictor is made, before training, on
//! arrays of the host's own ([`Library::create`]); and at every later call the status, that the output is written and
//! finite, and that no input has changed. A call that hangs in the middle of training is left to the engine's watchdog. A
//! plug-in that calls `exit` ends the process with an error of its own.

mod adapter;
mod arrays;
mod descriptor;
mod elf;
mod exit;
mod file;
mod handshake;
mod host;
pub(crate) mod instance;
mod library;
pub(crate) mod limit;
pub(crate) mod trial;

pub use descriptor::Descriptor;
pub use exit::{LastWords, before_refusing, end, ending, foreign_exit, only_we_exit, set_last_words, touched};
pub use host::{LogLevel, set_logger};
pub use instance::untold;
pub use library::{DEFAULT_LIMIT, Library};
pub use limit::left_behind;
