//! Everything that can go wrong, each with what to do about it.

pub use crate::plugin_error::PluginError;

/// What went wrong with a predictor, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictorError {
    /// No built-in or linked predictor has this name.
    #[error("there is no predictor `{name}`{}; available: {available}", did_you_mean(nearest.as_deref()))]
    UnknownPredictor {
        /// What was asked for.
        name: String,
        /// The valid name nearest to it, if any is near.
        nearest: Option<String>,
        /// All names, separated by commas.
        available: String,
    },
    /// The predictor has no such option.
    #[error("predictor `{predictor}` has no option `{option}`{}; available: {available}", did_you_mean(nearest.as_deref()))]
    UnknownOption {
        /// The predictor.
        predictor: String,
        /// What was given.
        option: String,
        /// The valid option nearest to it, if any is near.
        nearest: Option<String>,
        /// All its options, separated by commas.
        available: String,
    },
    /// The option has a value it cannot have.
    #[error("option `{option}` of predictor `{predictor}` is {value}, but must be {expected}")]
    OptionValue {
        /// The predictor.
        predictor: String,
        /// The option.
        option: String,
        /// What was given, as JSON.
        value: String,
        /// What would be valid.
        expected: String,
    },
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
    /// A prediction from slices was asked of a predictor that cannot make one in this type.
    #[error(
        "predictor `{predictor}` cannot predict from {dtype} weights: it is a linear rule, or does not support the type"
    )]
    NotCustom {
        /// The predictor.
        predictor: String,
        /// `f32` or `f64`.
        dtype: &'static str,
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

/// The candidate nearest to `name`, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean `{nearest}`?)"))
}
