//! What is measured before training where it is asked for: the costs of blocks, from them cuts, and how busy workers are.
//!
//! What comes of it replaces what was asked for in the settings, so that these repeat the run without measuring.

mod compensation;
mod cuts;
mod profile;
mod rates;
mod utilisation;

pub use cuts::best_cuts;
pub use rates::{RangeEnd, RateCurve, RatePoint, RateRange};

pub(crate) use compensation::compensate;
pub(crate) use profile::profile;
pub(crate) use rates::range_test;
