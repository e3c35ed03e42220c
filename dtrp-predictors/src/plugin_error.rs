//! Everything that can go wrong with a plug-in.

use dtrp_text::UnknownName;
use std::{io, path::PathBuf, time::Duration};

/// What went wrong with a plug-in, where, and what to do. `plugin` names it as `ID of FILE`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// The file is not there or cannot be read.
    #[error("cannot read the plug-in {path}: {source}", path = path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This program was built without the loader.
    #[error("cannot load the plug-in {path}: this program was built without the feature `host` of dtrp-predictors", path = path.display())]
    NoLoader {
        /// As given.
        path: PathBuf,
    },
    /// The system cannot load it.
    #[error("cannot load the plug-in {path}: {reason}; is it a shared library for this system, with everything it links to?", path = path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It exports nothing that a host looks for.
    #[error("{path} is no predictor plug-in: it does not export `dtrp_predictor_entry`; in Rust, call export_predictor!, in C, define it as the header says", path = path.display())]
    NoEntry {
        /// The file.
        path: PathBuf,
    },
    /// Its entry does not begin with the magic.
    #[error("{path} is no predictor plug-in: its entry begins with {found:?}, not \"DTRPPRED\"; set the field `magic` to DTRP_MAGIC", path = path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// It speaks another major version of the interface.
    #[error("the plug-in {path} speaks version {major} of the interface, this program version {host}; build it against the header of this program", path = path.display())]
    Major {
        /// The file.
        path: PathBuf,
        /// Its major version.
        major: u32,
        /// This program's.
        host: u32,
    },
    /// A struct is smaller than the first version of the interface has it.
    #[error("the plug-in {path} has a {name} of {size} bytes, but the least is {needed}; set its struct_size to sizeof({name})", path = path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Which struct.
        name: &'static str,
        /// What its `struct_size` says.
        size: u64,
        /// What the interface has required since its first version.
        needed: u64,
    },
    /// A function that must be there is null.
    #[error("the plug-in {path} lacks the function `{function}`", path = path.display())]
    MissingFunction {
        /// The file.
        path: PathBuf,
        /// Which.
        function: &'static str,
    },
    /// A descriptor makes no sense.
    #[error("descriptor {index} of the plug-in {path} is wrong: {reason}", path = path.display())]
    Descriptor {
        /// The file.
        path: PathBuf,
        /// Which.
        index: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// It holds no predictors.
    #[error("the plug-in {path} holds no predictors", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It holds no predictor of this id, or several and none was asked for.
    #[error("the plug-in {path}: {unknown}", path = path.display())]
    UnknownId {
        /// The file.
        path: PathBuf,
        /// The id, and those that there are.
        #[source]
        unknown: UnknownName,
    },
    /// It refuses its options.
    #[error("{plugin} refuses its options: {message}")]
    Options {
        /// Which.
        plugin: String,
        /// In its words.
        message: String,
    },
    /// It refuses a saved state.
    #[error("{plugin} refuses the saved state: {message}")]
    State {
        /// Which.
        plugin: String,
        /// In its words.
        message: String,
    },
    /// A call failed.
    #[error("{plugin} failed in `{call}` (status {status}): {message}")]
    Failed {
        /// Which.
        plugin: String,
        /// Which function.
        call: &'static str,
        /// What it returned.
        status: i32,
        /// In its words.
        message: String,
    },
    /// A call panicked.
    #[error("{plugin} panicked in `{call}`: {message}")]
    Panicked {
        /// Which.
        plugin: String,
        /// Which function.
        call: &'static str,
        /// In its words.
        message: String,
    },
    /// A call has not come back in time. Its thread and what it holds are left behind.
    #[error("{plugin} did not come back from `{call}` within {limit:?}; it may hang, or be far too slow")]
    Timeout {
        /// Which.
        plugin: String,
        /// Which functions.
        call: &'static str,
        /// How long it had.
        limit: Duration,
    },
    /// It wrote before or after the output it was given.
    #[error("{plugin} wrote outside the output it was given ({length} elements of {dtype}): {place}")]
    WroteOutside {
        /// Which.
        plugin: String,
        /// Of the output.
        length: usize,
        /// `f32` or `f64`.
        dtype: &'static str,
        /// Before or after.
        place: &'static str,
    },
    /// It wrote to what it may only read.
    #[error("{plugin} wrote in `{call}` to {what}, which it may only read")]
    WroteInput {
        /// Which.
        plugin: String,
        /// Which function.
        call: &'static str,
        /// To what.
        what: &'static str,
    },
    /// It left a part of the output as it was.
    #[error(
        "{plugin} did not write its whole output ({length} elements of {dtype}): element {index} was left as it was"
    )]
    LeftUnwritten {
        /// Which.
        plugin: String,
        /// Of the output.
        length: usize,
        /// `f32` or `f64`.
        dtype: &'static str,
        /// The first such element.
        index: usize,
    },
    /// It predicts infinity or NaN.
    #[error("{plugin} predicts {value} for {what}")]
    NonFinite {
        /// Which.
        plugin: String,
        /// What it predicts.
        value: f64,
        /// For what.
        what: String,
    },
    /// It answers with something the interface does not know.
    #[error("{plugin} breaks the interface in `{call}`: {reason}")]
    Contract {
        /// Which.
        plugin: String,
        /// Which function.
        call: &'static str,
        /// How.
        reason: String,
    },
    /// It does not work on the numbers of this run.
    #[error("{plugin} does not work on {dtype}; it declares {declared}")]
    Dtype {
        /// Which.
        plugin: String,
        /// What the run has.
        dtype: &'static str,
        /// What it declares.
        declared: String,
    },
}
