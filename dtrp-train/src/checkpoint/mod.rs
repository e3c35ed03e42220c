//! The whole state of a run at one moment, and folders of it:
//!
//! ```text
//! <folder>/
//!   model.safetensors       parameters and running statistics, under PyTorch's names
//!   optimizer.safetensors   the optimizer's state of each parameter: <state>/<parameter>
//!   modules.safetensors     what belongs to a module: what its predictor was shown, and what is in flight in it
//!   state.json              where the run stands, its settings and results, and the checksums of the other files
//! ```
//!
//! The first two do not depend on where the network is cut. A folder is written beside its place and renamed: it is whole, or
//! it is not there.

mod differences;
mod folder;
mod keeper;
mod state;

pub use folder::CheckpointError;
pub use keeper::{Keeper, LATEST, Newest};
pub use state::{CheckpointState, FileFacts, InProgram, PredictorIdentity, Results, RunPosition, Why};

pub(crate) use differences::{Differences, Taken};

use crate::error::Result;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tch::Tensor;

/// Tensors by name, in host memory.
pub(crate) type Tensors = Vec<(String, Tensor)>;

/// The whole state of a run at one moment. Clones share it.
#[derive(Clone)]
pub struct Checkpoint(Arc<Content>);

struct Content {
    state: CheckpointState,
    // A tensor may be sent to another thread, but not used by two at once.
    tensors: Mutex<Groups>,
}

/// The tensors of a checkpoint.
#[derive(Default)]
pub(crate) struct Groups {
    /// Parameters and running statistics.
    pub(crate) model: Tensors,
    /// By state and parameter.
    pub(crate) optimizer: Tensors,
    /// What belongs to one module, under `module.<k>.`.
    pub(crate) modules: Tensors,
}

impl Checkpoint {
    pub(crate) fn new(state: CheckpointState, groups: Groups) -> Self {
        Self(Arc::new(Content {
            state,
            tensors: Mutex::new(groups),
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

    pub(crate) fn with<T>(&self, look: impl FnOnce(&Groups) -> T) -> T {
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
