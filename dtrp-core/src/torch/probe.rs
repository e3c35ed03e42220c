//! A prediction that waits for its outcome.

use super::error::TorchError;
use crate::schedule::Unit;
use dtrp_predictors::Probe;
use tch::Tensor;

/// W_F and Ŵ of one forward.
pub(super) struct OpenProbe {
    pub(super) unit: Unit,
    pub(super) horizon: u32,
    pub(super) at_forward: Tensor,
    pub(super) predicted: Tensor,
    /// e = −(Σ η_i)·d, kept only for predictors that learn from it.
    pub(super) direction: Option<Tensor>,
}

impl OpenProbe {
    /// Compares with the weights that were predicted.
    pub(super) fn close(&self, weights: &Tensor) -> Result<Probe, TorchError> {
        let dot = |a: &Tensor, b: &Tensor| Ok::<f64, TorchError>(a.f_dot(b)?.f_double_value(&[])?);
        let realised = weights.f_sub(&self.at_forward)?;
        let predicted = self.predicted.f_sub(&self.at_forward)?;
        let error = weights.f_sub(&self.predicted)?;
        let mut probe = Probe {
            horizon: self.horizon,
            realised_norm2: dot(&realised, &realised)?,
            predicted_norm2: dot(&predicted, &predicted)?,
            predicted_dot_realised: dot(&predicted, &realised)?,
            error_norm2: dot(&error, &error)?,
            ..Probe::default()
        };
        if let Some(direction) = &self.direction {
            probe.realised_dot_direction = dot(&realised, direction)?;
            probe.direction_norm2 = dot(direction, direction)?;
        }
        Ok(probe)
    }
}
