//! Predicted weights: applying a predictor to an arena, and measuring what the prediction was worth.

mod apply;
mod forecaster;
mod probe;
mod saving;

pub use forecaster::{Forecaster, Gain};
pub use saving::{PredictorFacts, ProbeFacts};

pub(super) use apply::State;
