//! The weights of one moment.

use crate::error::{Result, TrainError};
use dtrp_models::weights;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tch::Tensor;

/// Parameters and running statistics of the whole network after a whole epoch, by their names. Clones share them.
#[derive(Clone)]
pub struct Snapshot {
    epoch: u64,
    step: u64,
    /// How often running statistics were updated.
    statistics: u64,
    // A tensor may be sent to another thread, but not used by two at once.
    tensors: Arc<Mutex<Vec<(String, Tensor)>>>,
}

impl Snapshot {
    pub(crate) fn new(epoch: u64, step: u64, statistics: u64, tensors: Vec<(String, Tensor)>) -> Self {
        Self {
            epoch,
            step,
            statistics,
            tensors: Arc::new(Mutex::new(tensors)),
        }
    }

    /// Whole epochs trained.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Batches trained.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The tensors by name, module 1 first, in host memory.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        let tensors = self.tensors.lock().unwrap_or_else(PoisonError::into_inner);
        tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
            .collect()
    }

    /// Writes them as safetensors under PyTorch's names; the file appears whole or not at all.
    ///
    /// # Errors
    ///
    /// [`TrainError::Weights`] when it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let tensors = self.tensors.lock().unwrap_or_else(PoisonError::into_inner);
        weights::save(path.as_ref(), &tensors, self.statistics).map_err(TrainError::Weights)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("epoch", &self.epoch)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
