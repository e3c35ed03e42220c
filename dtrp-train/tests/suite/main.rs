//! What a training says before it trains, and what it starts from.

mod effects;
mod limits;
mod norms;
mod support;
mod weights;
