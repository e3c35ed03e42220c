//! Predicted weights: applying a predictor to an arena, and measuring what the prediction was worth.

mod apply;
mod forecaster;
mod probe;

pub use forecaster::{Forecaster, Gain};

pub(super) use apply::State;
