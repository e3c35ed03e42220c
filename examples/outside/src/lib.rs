//! What a third party adds to dtrp: a data set, a family of networks and a predictor under names of their own, and a loss.

mod loss;
mod predictor;
mod spots;
mod strips;

pub use loss::Brier;
pub use predictor::LOOKAHEAD;
pub use spots::{SIDES, SPOTS, samples};
pub use strips::{STRIPS, blocks};
