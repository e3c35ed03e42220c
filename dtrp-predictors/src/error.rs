//! Everything that can go wrong, each with what to do about it.

pub use crate::plugin_error::PluginError;
use dtrp_text::{OptionError, UnknownName};

/// What is chosen by name here.
pub(crate) const KIND: &str = "predictor";

/// What went wrong with a predictor, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictorError {
    /// No built-in or linked predictor has this name.
    #[error(transparent)]
    UnknownPredictor(#[from] UnknownName),
    /// The predictor has no such option, or the option cannot have this value.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A description of a predictor that cannot be read.
    #[error(
        "a predictor is given as a name, `{{ name: …, options: {{…}} }}` or `{{ plugin: FILE, id: …, options: {{…}} }}`: {reason}"
    )]
    Spec {
        /// What is wrong with it.
        reason: String,
    },
    /// The rule has no meaning for the optimizer of the run.
    #[error("predictor `{predictor}` needs {needs}, but the optimizer is {got}; use {instead}")]
    Optimizer {
        /// The predictor.
        predictor: String,
        /// Which optimizer it needs.
        needs: &'static str,
        /// Which one the run has.
        got: String,
        /// Predictors that would work.
        instead: &'static str,
    },
    /// A prediction from arrays was asked of a predictor that cannot make one from these.
    #[error(
        "predictor `{predictor}` cannot predict from {arrays} weights: it is a linear rule, or does not support them"
    )]
    Unsupported {
        /// The predictor.
        predictor: String,
        /// `f32`, `f64` or `GPU`.
        arrays: &'static str,
    },
    /// Inputs of different lengths.
    #[error("predictor `{predictor}` was given {what} of length {got} for {expected} parameters")]
    Length {
        /// The predictor.
        predictor: String,
        /// Which input.
        what: &'static str,
        /// The length of the output.
        expected: usize,
        /// The length it has.
        got: usize,
    },
    /// The predictor produced infinity or NaN.
    #[error("predictor `{predictor}` produced a number that is not finite in {what}")]
    NonFinite {
        /// The predictor.
        predictor: String,
        /// Where.
        what: &'static str,
    },
    /// Saved state that cannot be taken up.
    #[error(
        "the saved state of predictor `{predictor}` cannot be used: {reason}; was it saved by the same predictor and version?"
    )]
    State {
        /// The predictor.
        predictor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something is wrong with a plug-in.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Whatever a predictor of one's own wants to say.
    #[error("predictor `{predictor}`: {message}")]
    Other {
        /// The predictor.
        predictor: String,
        /// What went wrong, and what to do.
        message: String,
    },
}

impl PredictorError {
    /// [`Other`](Self::Other), in words of one's own: what went wrong, and what to do.
    pub fn other(predictor: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Other {
            predictor: predictor.into(),
            message: message.into(),
        }
    }
}
