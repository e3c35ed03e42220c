//! Stochastic gradient descent.

use super::{Optimizer, OptimizerMemory, add_decay};
use crate::torch::TorchError;
use crate::torch::network::{ArenaLayout, copy};
use crate::torch::shim::add_scaled;
use dtrp_predictors::OptimizerState;
use tch::Tensor;

/// PyTorch's name of v.
const VELOCITY: &str = "momentum_buffer";

/// Stochastic gradient descent: g ← g + λw; v ← μv + g (v = g at first); w ← w − ηv, or with Nesterov w ← w − η(g + μv), or
/// with spike compensation w ← w − η(av + bg).
///
/// ```
/// use dtrp_core::torch::Sgd;
///
/// let optimizer = Sgd::new().momentum(0.9).nesterov(true).weight_decay(5e-4).decay_bias_and_norm(false);
/// ```
#[derive(Debug)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    decay_all: bool,
    /// D of spike compensation.
    spike: Option<u32>,
    velocity: Option<Tensor>,
}

impl Default for Sgd {
    fn default() -> Self {
        Self::new()
    }
}

impl Sgd {
    /// Plain descent: no momentum, no weight decay.
    pub fn new() -> Self {
        Self {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            decay_all: true,
            spike: None,
            velocity: None,
        }
    }

    /// With momentum μ, from 0 to below 1.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// With Nesterov's momentum.
    #[must_use]
    pub fn nesterov(self, nesterov: bool) -> Self {
        Self { nesterov, ..self }
    }

    /// With weight decay λ, from 0.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// Whether biases and parameters of norms decay too; they do unless told otherwise, as in PyTorch.
    #[must_use]
    pub fn decay_bias_and_norm(self, decay_all: bool) -> Self {
        Self { decay_all, ..self }
    }

    /// Spike compensation for gradients that come `staleness` updates late: they are applied at once with all the weight
    /// that momentum would have given them by now, a = μ^D and b = (1 − μ^D)/(1 − μ). Kosson et al., 2021, eq. 11. Replaces
    /// Nesterov.
    #[must_use]
    pub fn spike_compensation(self, staleness: u32) -> Self {
        Self {
            spike: Some(staleness),
            ..self
        }
    }

    /// (a, b) of spike compensation.
    fn compensated(&self) -> Option<(f64, f64)> {
        let power = |staleness| self.momentum.powi(i32::try_from(staleness).unwrap_or(i32::MAX));
        let factors = |power: f64| (power, (1.0 - power) / (1.0 - self.momentum));
        self.spike.map(power).map(factors)
    }
}

impl Optimizer for Sgd {
    fn step(
        &mut self,
        layout: &ArenaLayout,
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
        if let Some((a, b)) = self.compensated() {
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
            nesterov: self.nesterov && self.spike.is_none(),
            weight_decay: self.weight_decay,
        }
    }

    fn save(&self) -> Option<OptimizerMemory> {
        // With momentum and without it are two kinds: neither can go on where the other was.
        let kind = if self.momentum == 0.0 {
            "sgd without momentum"
        } else {
            "sgd with momentum"
        };
        let memory = OptimizerMemory::new(kind);
        Some(match &self.velocity {
            Some(velocity) => memory.tensor(VELOCITY, velocity),
            None => memory,
        })
    }

    fn load(&mut self, mut memory: OptimizerMemory) -> Result<(), TorchError> {
        self.velocity = memory.take(VELOCITY);
        memory.all_taken()
    }
}
