//! Two-dimensional convolution.

use dtrp_core::torch::{Init, ParamId, Role, Scope, Vars};
use tch::{TchError, Tensor};

/// A square convolution without bias (a normalisation follows).
pub struct Conv2d {
    weight: ParamId,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// Declares `weight` (outputs × inputs × kernel × kernel), initialised normally by fan-in (He et al., 2015).
    /// The padding keeps the size at stride 1.
    pub fn new(scope: &mut Scope<'_>, inputs: i64, outputs: i64, kernel: i64, stride: i64) -> Self {
        let init = Init::he_normal(inputs * kernel * kernel);
        Self {
            weight: scope.param(
                "weight",
                &[outputs, inputs, kernel, kernel],
                Role::Weight,
                init,
            ),
            stride,
            padding: kernel / 2,
        }
    }

    /// samples × inputs × h × w to samples × outputs × ⌈h/stride⌉ × ⌈w/stride⌉.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn forward(&self, vars: &Vars<'_>, x: &Tensor) -> Result<Tensor, TchError> {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        x.f_conv2d::<Tensor>(&vars[self.weight], None, stride, padding, [1, 1], 1)
    }
}
