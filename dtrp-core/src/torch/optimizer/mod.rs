//! Optimizers on flat tensors, in PyTorch's convention and order of operations, and the schedules of their rates.

mod adam;
mod learning_rate;
mod memory;
mod sgd;

pub use adam::Adam;
pub use learning_rate::{Curve, LearningRate, RateError, Rescale, Warmup};
pub use memory::OptimizerMemory;
pub use sgd::Sgd;

use crate::torch::TorchError;
use crate::torch::network::ArenaLayout;
use crate::torch::shim::add_scaled;
use dtrp_predictors::OptimizerState;
use tch::Tensor;

/// An optimizer of one module. Its state is flat, laid out as the weights.
pub trait Optimizer: Send {
    /// One update with the learning rate `rate`: changes `weights` in place with `gradient`, which may be overwritten. Both
    /// are flat tensors of `layout`, whose first part are the weights that always decay.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    fn step(
        &mut self,
        layout: &ArenaLayout,
        weights: &mut Tensor,
        gradient: &mut Tensor,
        rate: f64,
    ) -> Result<(), TorchError>;

    /// The direction d of the last update, flat like the weights, which predictors read; `None` before the first, or without
    /// momentum.
    fn direction(&self) -> Option<&Tensor>;

    /// How many tensors as large as the weights it keeps between updates, from the first on.
    fn copies(&self) -> usize;

    /// What it is, with the scalars that its coming updates depend on.
    fn state(&self) -> OptimizerState;

    /// What it keeps between updates, for a checkpoint: all that its next update depends on beside what it was made with.
    /// Unless implemented `None`: it does not say, so a run with it cannot be taken up again.
    ///
    /// ```
    /// # use dtrp_core::torch::{OptimizerMemory, TorchError};
    /// # use tch::Tensor;
    /// # struct Mine { average: Option<Tensor>, steps: u32 }
    /// # impl Mine {
    /// fn save(&self) -> Option<OptimizerMemory> {
    ///     let memory = OptimizerMemory::new("mine").number("step", f64::from(self.steps));
    ///     Some(match &self.average {
    ///         Some(average) => memory.tensor("average", average),
    ///         None => memory,
    ///     })
    /// }
    ///
    /// fn load(&mut self, mut memory: OptimizerMemory) -> Result<(), TorchError> {
    ///     self.steps = memory.get("step")? as u32;
    ///     self.average = memory.take("average");
    ///     memory.all_taken()
    /// }
    /// # }
    /// ```
    fn save(&self) -> Option<OptimizerMemory> {
        None
    }

    /// Takes up what [`save`](Self::save) of an optimizer of the same kind gave; both then make the same updates. Elements of
    /// the tensors that belong to no parameter are 0. Parameters that had not been updated when it was saved come with zeros
    /// where others have values.
    ///
    /// # Errors
    ///
    /// [`TorchError::NotSaved`] unless implemented; [`TorchError::Unfit`] for what this optimizer cannot go on with.
    fn load(&mut self, memory: OptimizerMemory) -> Result<(), TorchError> {
        let _ = memory;
        Err(TorchError::NotSaved)
    }
}

/// Which parameters decay: all, or only weights, not biases and norms.
fn decaying(layout: &ArenaLayout, all: bool, flat: &Tensor) -> Result<Tensor, TorchError> {
    let len = if all { layout.len() } else { layout.weights() };
    Ok(flat.f_narrow(0, 0, len as i64)?)
}

/// g ← g + λw, where parameters decay.
fn add_decay(
    layout: &ArenaLayout,
    all: bool,
    decay: f64,
    weights: &Tensor,
    gradient: &Tensor,
) -> Result<(), TorchError> {
    if decay == 0.0 {
        return Ok(());
    }
    let weights = decaying(layout, all, weights)?;
    add_scaled(&mut decaying(layout, all, gradient)?, &weights, decay)
}
