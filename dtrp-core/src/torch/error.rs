//! What can go wrong in a libtorch stage.

use crate::schedule::Unit;
use dtrp_text::without_frames;
use tch::Kind;

/// An error of the libtorch stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchError {
    /// An operator of libtorch failed. No `source`: who prints a chain of errors would print the C++ stack with it.
    #[error("libtorch: {}", without_frames(&.0.to_string()))]
    Tch(tch::TchError),
    /// A function of the shim failed.
    #[error("libtorch: {what}: {}", without_frames(message))]
    Libtorch {
        /// What was called.
        what: &'static str,
        /// libtorch's message, with its C++ stack.
        message: String,
    },
    /// The predictor failed.
    #[error("predictor: {0}")]
    Predictor(#[from] dtrp_predictors::PredictorError),
    /// The loss became infinite or NaN: training has diverged.
    #[error(
        "the loss of batch {unit} is {loss}: training has diverged; a smaller learning rate (`optimizer.lr`) or a \
         warm-up (`optimizer.schedule.warmup_epochs`) may help"
    )]
    Diverged {
        /// The batch, numbered within its program.
        unit: Unit,
        /// The loss.
        loss: f64,
    },
    /// The source of the data failed; in its own words.
    #[error("{0}")]
    Data(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The source of the data says that the run should stop: not a failure, but the way to end one early.
    #[error("the run was stopped")]
    Stopped,
    /// The program asks for something that the stage does not hold.
    #[error("the stage holds no {what} of batch {unit}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// The unit.
        unit: Unit,
    },
    /// The last block of the network does not give one tensor.
    #[error("the last block of the network gives {found} tensors, but a loss is of one: the logits, samples x classes")]
    Outputs {
        /// How many it gives.
        found: usize,
    },
    /// A tensor to load has another shape than the parameter.
    #[error("`{name}` has shape {found:?}, but this network needs {expected:?}")]
    Shape {
        /// The parameter or buffer.
        name: String,
        /// The shape given.
        found: Vec<i64>,
        /// The shape needed.
        expected: Vec<i64>,
    },
    /// A tensor to go on with has another element type than what it is for.
    #[error(
        "`{name}` is of type {found:?} in the checkpoint, but this run needs {expected:?}: a run goes on with the element type \
         that it began with (`run.dtype`)"
    )]
    ElementType {
        /// The tensor.
        name: String,
        /// The type given.
        found: Kind,
        /// The type needed.
        expected: Kind,
    },
    /// A checkpoint lacks a tensor.
    #[error("the checkpoint has no tensor `{name}`: it is of another network, or not whole")]
    Absent {
        /// The tensor.
        name: String,
    },
    /// A checkpoint is of a run that is set up in another way.
    #[error("the checkpoint is not of a run like this one: {what}")]
    Unfit {
        /// What does not fit.
        what: String,
    },
    /// An optimizer of one's own does not implement [`Optimizer::save`](super::Optimizer::save).
    #[error(
        "this optimizer does not say what it keeps between updates, so a run with it cannot be taken up again: implement \
         `save` and `load` of `Optimizer`"
    )]
    NotSaved,
    /// A stage cannot be saved at this moment.
    #[error("module {module} cannot be saved while {why}")]
    Busy {
        /// The module.
        module: usize,
        /// What has not ended.
        why: &'static str,
    },
}

impl TorchError {
    /// The message with the C++ stack that libtorch appends to its own, for whoever looks for the cause.
    pub fn with_frames(&self) -> String {
        match self {
            Self::Tch(error) => error.to_string(),
            Self::Libtorch { what, message } => format!("{what}: {message}"),
            other => other.to_string(),
        }
    }

    /// What a [`Source`](super::Source) returns when it cannot give a unit: its own error, or a text.
    pub fn data(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Data(error.into())
    }
}

impl From<tch::TchError> for TorchError {
    fn from(error: tch::TchError) -> Self {
        Self::Tch(error)
    }
}
