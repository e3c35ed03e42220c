//! Two-dimensional convolution.

use super::tally;
use dtrp_core::torch::{Init, ParamId, Role, Scope, Vars};
use tch::{TchError, Tensor};

/// A square convolution with zeros around the image, so that it keeps the size at stride 1: kernel − 1 of them in each direction,
/// half on either side. Where that is odd, which it is for an even kernel, the one left over is at the bottom and at the right, as
/// with PyTorch's `padding="same"`.
pub struct Conv2d {
    weight: ParamId,
    bias: Option<ParamId>,
    stride: i64,
    kernel: i64,
}

impl Conv2d {
    /// Declares `weight` (outputs × inputs × kernel × kernel), initialised normally by fan-in (He et al., 2015); no bias,
    /// since a normalisation follows.
    pub fn new(scope: &mut Scope<'_>, inputs: i64, outputs: i64, kernel: i64, stride: i64) -> Self {
        let fan = inputs * kernel * kernel;
        Self::declare(scope, [outputs, inputs, kernel, kernel], fan, stride)
    }

    /// The same, initialised by fan-out, as torchvision's ResNets and VGGs are.
    pub fn fan_out(scope: &mut Scope<'_>, inputs: i64, outputs: i64, kernel: i64, stride: i64) -> Self {
        let fan = outputs * kernel * kernel;
        Self::declare(scope, [outputs, inputs, kernel, kernel], fan, stride)
    }

    fn declare(scope: &mut Scope<'_>, shape: [i64; 4], fan: i64, stride: i64) -> Self {
        Self {
            weight: scope.param("weight", &shape, Role::Weight, Init::he_normal(fan)),
            bias: None,
            stride,
            kernel: shape[2],
        }
    }

    /// Declares a `bias` too, zeros.
    #[must_use]
    pub fn biased(mut self, scope: &mut Scope<'_>, outputs: i64) -> Self {
        let zeros = Init::Constant(0.0);
        self.bias = Some(scope.param("bias", &[outputs], Role::BiasOrNorm, zeros));
        self
    }

    /// samples × inputs × h × w to samples × outputs × ⌈h/stride⌉ × ⌈w/stride⌉.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn forward(&self, vars: &Vars<'_>, x: &Tensor) -> Result<Tensor, TchError> {
        let padding = (self.kernel - 1) / 2;
        let padded = match (self.kernel - 1) % 2 {
            0 => None,
            more => Some(x.f_constant_pad_nd([0, more, 0, more])?),
        };
        let x = padded.as_ref().unwrap_or(x);
        let weight = &vars[self.weight];
        let bias = self.bias.map(|bias| &vars[bias]);
        let y = x.f_conv2d(weight, bias, [self.stride; 2], [padding; 2], [1, 1], 1)?;
        // Every output element is a sum over one output channel's weights.
        let sum: i64 = weight.size()[1..].iter().product();
        tally::multiply_adds(y.numel() as u64 * sum as u64);
        tally::keeps(x);
        Ok(y)
    }
}
