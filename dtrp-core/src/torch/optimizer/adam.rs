//! Adam and AdamW.

use super::{Optimizer, OptimizerMemory, add_decay, decaying};
use crate::torch::TorchError;
use crate::torch::network::ArenaLayout;
use crate::torch::shim::add_scaled;
use dtrp_predictors::OptimizerState;
use tch::Tensor;

/// PyTorch's names of m, v and t.
const MOMENTS: [&str; 2] = ["exp_avg", "exp_avg_sq"];
const STEPS: &str = "step";

/// Adam (Kingma and Ba, 2015): m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← w − η·d with d = m̂/(√v̂ + ε), both moments
/// corrected for bias. Weight decay is added to the gradient, or, as AdamW (Loshchilov and Hutter, 2019), taken off the
/// weights beforehand: w ← (1 − ηλ)w.
///
/// ```
/// use dtrp_core::torch::Adam;
///
/// let adam = Adam::new().betas(0.9, 0.95);
/// let adamw = Adam::decoupled().weight_decay(0.01).decay_bias_and_norm(false);
/// ```
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

impl Default for Adam {
    fn default() -> Self {
        Self::new()
    }
}

impl Adam {
    /// Adam with β₁ = 0.9, β₂ = 0.999 and ε = 10⁻⁸, without weight decay.
    pub fn new() -> Self {
        Self {
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            decay_all: true,
            moments: None,
            direction: None,
            steps: 0,
        }
    }

    /// AdamW, with the numbers of [`new`](Self::new): weight decay, once it is set, is taken off the weights.
    pub fn decoupled() -> Self {
        Self {
            decoupled: true,
            ..Self::new()
        }
    }

    /// With these β₁ and β₂, from 0 to below 1.
    #[must_use]
    pub fn betas(self, first: f64, second: f64) -> Self {
        Self {
            betas: (first, second),
            ..self
        }
    }

    /// With this ε, above 0.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
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

    /// d of these moments.
    fn direction_of(&self, first: &Tensor, second: &Tensor) -> Result<Tensor, TorchError> {
        let (beta1, beta2) = self.betas;
        let correction = |beta: f64| 1.0 - beta.powi(self.steps);
        let mut denominator = second.f_sqrt()?.f_div_scalar(correction(beta2).sqrt())?;
        let _ = denominator.f_add_scalar_(self.epsilon)?;
        Ok(first.f_div(&denominator)?.f_div_scalar(correction(beta1))?)
    }
}

impl Optimizer for Adam {
    fn step(
        &mut self,
        layout: &ArenaLayout,
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
        let direction = self.direction_of(&first, &second)?;
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

    fn save(&self) -> Option<OptimizerMemory> {
        let kind = if self.decoupled { "adamw" } else { "adam" };
        let memory = OptimizerMemory::new(kind).number(STEPS, f64::from(self.steps));
        Some(match &self.moments {
            // The direction follows from them.
            Some((first, second)) => memory.tensor(MOMENTS[0], first).tensor(MOMENTS[1], second),
            None => memory,
        })
    }

    fn load(&mut self, mut memory: OptimizerMemory) -> Result<(), TorchError> {
        self.steps = memory.get(STEPS)? as i32;
        self.moments = memory.take(MOMENTS[0]).zip(memory.take(MOMENTS[1]));
        memory.all_taken()?;
        let direction = self.moments.as_ref();
        let direction = direction.map(|(first, second)| self.direction_of(first, second));
        self.direction = direction.transpose()?;
        Ok(())
    }
}
