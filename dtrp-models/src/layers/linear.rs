//! Fully connected layer.

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
        let bound = 1.0 / (inputs as f64).sqrt();
        Self {
            weight: scope.param("weight", &[outputs, inputs], Role::Weight, init),
            bias: scope.param(
                "bias",
                &[outputs],
                Role::BiasOrNorm,
                Init::Uniform { bound },
            ),
        }
    }

    /// samples × inputs to samples × outputs.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn forward(&self, vars: &Vars<'_>, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_linear(&vars[self.weight], Some(&vars[self.bias]))
    }
}
