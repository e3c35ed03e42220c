//! What is said of an option that something cannot take.

use crate::names::DidYouMean;
use crate::shortened;
use std::fmt;

/// An option that something cannot take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionError {
    /// What the options are of, in the singular: `model`, `data set`.
    pub kind: &'static str,
    /// Its name.
    pub owner: String,
    /// The option.
    pub option: String,
    /// What is wrong with it.
    pub problem: Box<OptionProblem>,
}

/// What is wrong with an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionProblem {
    /// There is none of this name.
    Unknown {
        /// The option nearest to it, if one is near.
        nearest: Option<String>,
        /// All options.
        known: Vec<String>,
    },
    /// It cannot have this value.
    Value {
        /// The value, as JSON; `missing` where none was given.
        value: String,
        /// The word nearest to it, where one of a few words was to be chosen and one is near.
        nearest: Option<String>,
        /// What it may be, as it stands after "must be".
        expected: String,
    },
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind, owner, option, ..
        } = self;
        match &*self.problem {
            OptionProblem::Unknown { nearest, known } => {
                let maybe = DidYouMean(nearest.as_deref());
                write!(f, "{kind} `{owner}` has no option `{option}`{maybe}; ")?;
                if known.is_empty() {
                    f.write_str("it has none at all: remove it")
                } else {
                    let advice = if nearest.is_some() { "" } else { "remove it: " };
                    write!(f, "{advice}its options are {}", known.join(", "))
                }
            }
            OptionProblem::Value {
                value,
                nearest,
                expected,
            } => {
                let maybe = DidYouMean(nearest.as_deref());
                let value = shortened(value);
                write!(
                    f,
                    "{kind} `{owner}`: option `{option}` is {value}{maybe}, but must be {expected}"
                )
            }
        }
    }
}

impl std::error::Error for OptionError {}
