//! The training loss.

use super::error::TorchError;
use tch::{Reduction, Tensor};

/// Mean cross-entropy over the batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Loss {
    /// Share of the target spread evenly over all classes, 0..1 (Szegedy et al., 2016).
    pub label_smoothing: f64,
}

impl Loss {
    /// The loss of `logits` (samples × classes) for integer `labels` (samples): a scalar.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn of(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        /// PyTorch's default: no class has this number, so none is ignored.
        const IGNORE_NONE: i64 = -100;
        let smoothing = self.label_smoothing;
        Ok(logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, IGNORE_NONE, smoothing)?)
    }
}
