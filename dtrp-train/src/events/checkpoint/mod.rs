//! The whole state of a run at one moment, and folders of it:
//!
//! ```text
//! <folder>/
//!   model.safetensors       parameters and running statistics, under PyTorch's names
//!   optimizer.safetensors   the optimizer's state of each parameter: <state>.<parameter>
//!   predictor.safetensors   of each module, what its predictor keeps and was shown, and its auxiliary head
//!   flight.safetensors      of each module, what is in flight
//!   state.json              where the run stands, its settings and results, and the checksums of the other files
//! ```
//!
//! The first two do not depend on where the network is cut. A folder is written beside its place and renamed: it is whole, or
//! it is not there.

mod differences;
mod folder;
mod keeper;
mod state;

pub use keeper::{Keeper, LATEST, Newest};
pub use state::{CheckpointState, FileFacts, InProgram, MailFacts, PredictorIdentity, Results, RunPosition, Why};

pub(crate) use differences::{Differences, Taken, listed};

use crate::error::Result;
use dtrp_core::torch::SavedTensors;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The whole state of a run at one moment. Clones share it.
#[derive(Clone)]
pub struct Checkpoint(Arc<Content>);

struct Content {
    state: CheckpointState,
    // A tensor may be sent to another thread, but not used by two at once.
    tensors: Mutex<SavedTensors>,
}

impl Checkpoint {
    pub(crate) fn new(state: CheckpointState, tensors: SavedTensors) -> Self {
        Self(Arc::new(Content {
            state,
            tensors: Mutex::new(tensors),
        }))
    }

    /// Everything but the tensors.
    pub fn state(&self) -> &CheckpointState {
        &self.0.state
    }

    /// Batches of the whole run that every module has trained on.
    pub fn step(&self) -> u64 {
        self.0.state.position.step
    }

    /// Whole epochs.
    pub fn epoch(&self) -> u64 {
        self.0.state.position.epochs
    }

    /// Writes it as the folder `path`, which appears whole or not at all and is on the disk when this returns. One that is
    /// there already is replaced.
    ///
    /// # Errors
    ///
    /// [`TrainError::Checkpoint`](crate::TrainError::Checkpoint) when it cannot be written: then nothing is left of it.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(folder::write(self, path.as_ref())?)
    }

    /// Reads the folder `path`, and checks every byte of it.
    ///
    /// # Errors
    ///
    /// [`TrainError::Checkpoint`](crate::TrainError::Checkpoint) where there is none, or it is not whole, or from a later version.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Ok(folder::read(path.as_ref())?)
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&SavedTensors) -> T) -> T {
        look(&self.0.tensors.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.0.state;
        f.debug_struct("Checkpoint")
            .field("why", &state.why)
            .field("position", &state.position)
            .finish_non_exhaustive()
    }
}
