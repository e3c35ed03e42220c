//! What people read and type, in one form for all of dtrp.
//!
//! * [`nearest`], [`find`] and [`UnknownName`]: things that are chosen by name, and what is said to a mistyped one.
//! * [`OptionSpec`], [`Options`] and [`OptionError`]: options that something declares, with their defaults, and how it
//!   reads what it was given.
//! * [`Table`]: aligned text, Markdown, or LaTeX.
//! * [`units`]: numbers for people.
//! * [`shortened()`]: what somebody typed, in a message.
//! * [`without_frames`]: what a library in C++ says, without its stack.
//! * [`to_json`]: what programs read.
//! * [`read_text`]: texts that a user names by their paths.
//! * [`write_whole`]: files that appear whole or not at all.
//!
//! ```
//! use dtrp_text::{OptionSpec, Options};
//! use serde_json::json;
//!
//! const OPTIONS: [OptionSpec; 2] = [
//!     OptionSpec::count("depth", 3, 1..=1000, "convolutions"),
//!     OptionSpec::choice("stem", "large", &["large", "small"], "what the images are made smaller with"),
//! ];
//! let given = json!({ "depth": 5 });
//! let options = Options::new("model", "mine", &OPTIONS, &given)?;
//! assert_eq!((options.count("depth"), options.choice("stem")), (5, "large"));
//!
//! let error = Options::new("model", "mine", &OPTIONS, &json!({ "depht": 5 })).unwrap_err();
//! let says = "model `mine` has no option `depht` (did you mean `depth`?); its options are depth, stem";
//! assert_eq!(error.to_string(), says);
//! # Ok::<(), dtrp_text::OptionError>(())
//! ```

mod frames;
mod json;
mod names;
mod options;
mod read;
mod shortened;
mod table;
pub mod units;
mod whole;
mod words;

pub use frames::without_frames;
pub use json::to_json;
pub use names::{DidYouMean, UnknownName, find, likeness, nearest};
pub use options::{
    OptionError, OptionKind, OptionProblem, OptionSpec, OptionValues, Options, defaults, option_values, schema,
};
pub use read::read_text;
pub use shortened::shortened;
pub use table::{Table, break_words};
pub use whole::write_whole;
#[doc(hidden)]
pub use words::WordVisitor;

#[doc(hidden)]
pub use serde;
