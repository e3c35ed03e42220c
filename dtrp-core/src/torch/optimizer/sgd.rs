//! Stochastic gradient descent.

use super::super::arena::{Layout, copy};
use super::super::error::TorchError;
use super::super::shim::add_scaled;
use super::{Optimizer, add_decay};
use dtrp_predictors::OptimizerState;
use tch::Tensor;

/// Stochastic gradient descent: g ← g + λw; v ← μv + g (v = g at first); w ← w − ηv, or with Nesterov w ← w − η(g + μv), or
/// with spike compensation w ← w − η(av + bg).
#[derive(Debug)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    decay_all: bool,
    /// (a, b) of spike compensation.
    spike: Option<(f64, f64)>,
    velocity: Option<Tensor>,
}

impl Sgd {
    /// An optimizer with momentum μ and weight decay λ. Without `decay_all` biases and norm parameters do not decay.
    pub fn new(momentum: f64, nesterov: bool, weight_decay: f64, decay_all: bool) -> Self {
        Self {
            momentum,
            nesterov,
            weight_decay,
            decay_all,
            spike: None,
            velocity: None,
        }
    }

    /// Spike compensation for gradients that come `staleness` updates late: they are applied at once with all the weight
    /// that momentum would have given them by now, a = μ^D and b = (1 − μ^D)/(1 − μ). Kosson et al., 2021, eq. 11. Replaces
    /// Nesterov.
    pub fn spike_compensation(self, staleness: u32) -> Self {
        let power = self.momentum.powi(i32::try_from(staleness).unwrap_or(i32::MAX));
        Self {
            nesterov: false,
            spike: Some((power, (1.0 - power) / (1.0 - self.momentum))),
            ..self
        }
    }
}

impl Optimizer for Sgd {
    fn step(
        &mut self,
        layout: &Layout,
        weights: &mut Tensor,
        gradient: &mut Tensor,
        rate: f64,
    ) -> Result<(), TorchError> {
        add_decay(layout, self.decay_all, self.weight_decay, weights, gradient)?;
        if self.momentum == 0.0 {
            return add_scaled(weights, gradient, -rate);
        }
        match &mut self.velocity {
            None => self.velocity = Some(copy(gradient)?),
            Some(velocity) => {
                let _ = velocity.f_mul_scalar_(self.momentum)?;
                add_scaled(velocity, gradient, 1.0)?;
            }
        }
        let Some(velocity) = &self.velocity else {
            return Ok(());
        };
        if let Some((a, b)) = self.spike {
            add_scaled(weights, velocity, -rate * a)?;
            add_scaled(weights, gradient, -rate * b)
        } else if self.nesterov {
            add_scaled(gradient, velocity, self.momentum)?;
            add_scaled(weights, gradient, -rate)
        } else {
            add_scaled(weights, velocity, -rate)
        }
    }

    fn direction(&self) -> Option<&Tensor> {
        self.velocity.as_ref()
    }

    fn copies(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn state(&self) -> OptimizerState {
        OptimizerState::Sgd {
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
        }
    }
}
