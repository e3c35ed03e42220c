//! When the state of a run is kept.

use serde::{Deserialize, Serialize};

/// When the whole state of a run is kept, so that it can be gone on with. None of these changes what is trained: a checkpoint is
/// taken of the running program, with the batches that are in flight in it.
///
/// One is due whenever one of the first three says so, and always at the end of a run and where it is asked to stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSettings {
    /// After so many epochs.
    pub every_epochs: Option<u64>,
    /// After so many batches, counted over the whole run.
    pub every_steps: Option<u64>,
    /// When so many minutes have passed since the last.
    pub every_minutes: Option<f64>,
    /// How many of the newest are kept. With 0, and 0 of the best, none is made.
    pub keep_last: u64,
    /// How many are kept, beside the newest, of those after an epoch with the best accuracy on the test set; one is due
    /// whenever an epoch is among them.
    pub keep_best: u64,
}

impl Default for CheckpointSettings {
    fn default() -> Self {
        Self {
            every_epochs: None,
            every_steps: None,
            every_minutes: Some(10.0),
            keep_last: 2,
            keep_best: 0,
        }
    }
}

impl CheckpointSettings {
    /// None at all.
    pub fn off() -> Self {
        Self {
            every_minutes: None,
            keep_last: 0,
            ..Self::default()
        }
    }

    /// Whether any is made.
    pub fn on(&self) -> bool {
        self.keep_last > 0 || self.keep_best > 0
    }
}
