//! Optimizers on flat tensors, in PyTorch's convention and order of operations.

use super::arena::{Layout, copy};
use super::error::TorchError;
use super::shim::add_scaled;
use dtrp_predictors::OptimizerState;
use tch::Tensor;

/// An optimizer of one module. Its state is flat, laid out as the weights.
pub trait Optimizer: Send {
    /// One update: changes `weights` in place with `gradient`, which may be overwritten.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    fn step(
        &mut self,
        layout: &Layout,
        weights: &mut Tensor,
        gradient: &mut Tensor,
        rate: f64,
    ) -> Result<(), TorchError>;

    /// The direction d of the last update, which predictors read; `None` before the first, or without momentum.
    fn direction(&self) -> Option<&Tensor>;

    /// What it is, with the scalars that its coming updates depend on.
    fn state(&self) -> OptimizerState;
}

/// Stochastic gradient descent: g ← g + λw; v ← μv + g (v = g at first); w ← w − ηv, or with Nesterov w ← w − η(g + μv).
#[derive(Debug)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    decay_all: bool,
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
            velocity: None,
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
        if self.weight_decay != 0.0 {
            let len = if self.decay_all {
                layout.len()
            } else {
                layout.weights()
            } as i64;
            let decaying = weights.f_narrow(0, 0, len)?;
            add_scaled(
                &mut gradient.f_narrow(0, 0, len)?,
                &decaying,
                self.weight_decay,
            )?;
        }
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
        if self.nesterov {
            add_scaled(gradient, velocity, self.momentum)?;
            add_scaled(weights, gradient, -rate)
        } else {
            add_scaled(weights, velocity, -rate)
        }
    }

    fn direction(&self) -> Option<&Tensor> {
        self.velocity.as_ref()
    }

    fn state(&self) -> OptimizerState {
        OptimizerState::Sgd {
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
        }
    }
}
