//! A prediction that waits for its outcome.

use crate::schedule::Unit;
use crate::torch::TorchError;
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
    /// The numbers of the probe, in the order in which [`result`] reads them, on the module's device.
    pub(super) fn close(&self, weights: &Tensor) -> Result<Tensor, TorchError> {
        let realised = weights.f_sub(&self.at_forward)?;
        let predicted = self.predicted.f_sub(&self.at_forward)?;
        let error = weights.f_sub(&self.predicted)?;
        let mut numbers = vec![
            realised.f_dot(&realised)?,
            predicted.f_dot(&predicted)?,
            predicted.f_dot(&realised)?,
            error.f_dot(&error)?,
        ];
        if let Some(direction) = &self.direction {
            numbers.push(realised.f_dot(direction)?);
            numbers.push(direction.f_dot(direction)?);
        }
        Ok(Tensor::f_stack(&numbers, 0)?)
    }
}

/// The numbers of a closed probe of this horizon, by their names.
pub(super) fn result(horizon: u32, numbers: &[f64]) -> Probe {
    let at = |index| numbers.get(index).copied().unwrap_or_default();
    Probe {
        horizon,
        realised_norm2: at(0),
        predicted_norm2: at(1),
        predicted_dot_realised: at(2),
        error_norm2: at(3),
        realised_dot_direction: at(4),
        direction_norm2: at(5),
    }
}
