//! Adam and AdamW.

use super::super::arena::Layout;
use super::super::error::TorchError;
use super::super::shim::add_scaled;
use super::{Optimizer, add_decay, decaying};
use dtrp_predictors::OptimizerState;
use tch::Tensor;

/// Adam (Kingma and Ba, 2015): m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← w − η·d with d = m̂/(√v̂ + ε), both moments
/// corrected for bias. Weight decay is added to the gradient, or, as AdamW (Loshchilov and Hutter, 2019), taken off the
/// weights beforehand: w ← (1 − ηλ)w.
#[derive(Debug)]
pub struct Adam {
    betas: (f64, f64),
    epsilon: f64,
    weight_decay: f64,
    decoupled: bool,
    decay_all: bool,
    moments: Option<(Tensor, Tensor)>,
    direction: Option<Tensor>,
    steps: i32,
}

impl Adam {
    /// Adam, or AdamW if `decoupled`, with weight decay λ. Without `decay_all` biases and norm parameters do not decay.
    pub fn new(betas: (f64, f64), epsilon: f64, weight_decay: f64, decoupled: bool, decay_all: bool) -> Self {
        Self {
            betas,
            epsilon,
            weight_decay,
            decoupled,
            decay_all,
            moments: None,
            direction: None,
            steps: 0,
        }
    }
}

impl Optimizer for Adam {
    fn step(
        &mut self,
        layout: &Layout,
        weights: &mut Tensor,
        gradient: &mut Tensor,
        rate: f64,
    ) -> Result<(), TorchError> {
        if self.decoupled {
            let keep = 1.0 - rate * self.weight_decay;
            let _ = decaying(layout, self.decay_all, weights)?.f_mul_scalar_(keep)?;
        } else {
            add_decay(layout, self.decay_all, self.weight_decay, weights, gradient)?;
        }
        let (beta1, beta2) = self.betas;
        let (mut first, mut second) = match self.moments.take() {
            Some(moments) => moments,
            None => (gradient.f_zeros_like()?, gradient.f_zeros_like()?),
        };
        let _ = first.f_lerp_(gradient, 1.0 - beta1)?;
        let _ = second.f_mul_scalar_(beta2)?;
        add_scaled(&mut second, &gradient.f_square()?, 1.0 - beta2)?;
        self.steps = self.steps.saturating_add(1);
        let correction = |beta: f64| 1.0 - beta.powi(self.steps);
        let mut denominator = second.f_sqrt()?.f_div_scalar(correction(beta2).sqrt())?;
        let _ = denominator.f_add_scalar_(self.epsilon)?;
        let direction = first.f_div(&denominator)?.f_div_scalar(correction(beta1))?;
        add_scaled(weights, &direction, -rate)?;
        self.moments = Some((first, second));
        self.direction = Some(direction);
        Ok(())
    }

    fn direction(&self) -> Option<&Tensor> {
        self.direction.as_ref()
    }

    fn copies(&self) -> usize {
        // Two moments and the direction.
        3
    }

    fn state(&self) -> OptimizerState {
        OptimizerState::Adam {
            beta1: self.betas.0,
            beta2: self.betas.1,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            decoupled: self.decoupled,
        }
    }
}
