//! Where a run stands.

use crate::event::EpochReport;
use crate::tally::Tally;
use std::time::Instant;

/// How far a run has come, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// When the first program began.
    pub(crate) start: Option<Instant>,
    /// Whole epochs.
    pub(crate) epochs: u64,
    /// Batches of whole epochs.
    pub(crate) done: u64,
    /// The last whole epoch.
    pub(crate) last: Option<EpochReport>,
    /// The best accuracy after any epoch, 0..1.
    pub(crate) best: Option<f64>,
    /// Of all programs of whole epochs.
    pub(crate) tally: Tally,
}
