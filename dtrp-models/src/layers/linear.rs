//! Fully connected layer.

use super::tally;
use dtrp_core::torch::{Init, ParamId, Role, Scope, Vars};
use tch::{TchError, Tensor};

/// A fully connected layer with bias.
pub struct Linear {
    weight: ParamId,
    bias: ParamId,
}

impl Linear {
    /// Declares `weight` (outputs × inputs) with the given start, and `bias` uniform in ±1/√inputs, PyTorch's default.
    pub fn new(scope: &mut Scope<'_>, inputs: i64, outputs: i64, init: Init) -> Self {
        let bias = Init::Uniform {
            bound: default_bound(inputs),
        };
        Self::with_bias(scope, inputs, outputs, init, bias)
    }

    /// Declares both as PyTorch does by default: uniform in ±1/√inputs.
    pub fn torch(scope: &mut Scope<'_>, inputs: i64, outputs: i64) -> Self {
        let bound = default_bound(inputs);
        Self::new(scope, inputs, outputs, Init::Uniform { bound })
    }

    /// Declares both with the given starts.
    pub fn with_bias(scope: &mut Scope<'_>, inputs: i64, outputs: i64, weight: Init, bias: Init) -> Self {
        Self {
            weight: scope.param("weight", &[outputs, inputs], Role::Weight, weight),
            bias: scope.param("bias", &[outputs], Role::BiasOrNorm, bias),
        }
    }

    /// samples × … × inputs to samples × … × outputs.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn forward(&self, vars: &Vars<'_>, x: &Tensor) -> Result<Tensor, TchError> {
        let weight = &vars[self.weight];
        // Every row of inputs takes one product with each weight.
        let inputs = weight.size()[1].max(1) as u64;
        tally::multiply_adds(x.numel() as u64 / inputs * weight.numel() as u64);
        tally::keeps(x);
        x.f_linear(weight, Some(&vars[self.bias]))
    }
}

/// 1/√inputs: half the width of PyTorch's default start.
fn default_bound(inputs: i64) -> f64 {
    1.0 / (inputs as f64).sqrt()
}
