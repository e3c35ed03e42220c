//! Batch normalisation.

use super::tally;
use dtrp_core::torch::{BufferId, Init, Mode, ParamId, Pass, Role, Scope, Vars};
use tch::{TchError, Tensor};

/// PyTorch's defaults: the weight of a batch in the running statistics, and the ε under the root.
const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;

/// Batch normalisation over samples and pixels, per channel (Ioffe and Szegedy, 2015).
///
/// In training it uses the batch's statistics. The running ones are updated exactly once for each batch: not in the first of
/// two forwards, which leaves them out altogether. The running variance is that of PyTorch, whose divisor is one less than the
/// values of a channel: training needs at least two of them in every batch and micro-batch.
pub struct BatchNorm2d {
    /// Of its weight, in the whole network.
    name: String,
    weight: ParamId,
    bias: ParamId,
    mean: BufferId,
    variance: BufferId,
}

impl BatchNorm2d {
    /// Declares `weight` (ones), `bias` (zeros), `running_mean` and `running_var`, one number a channel each.
    pub fn new(scope: &mut Scope<'_>, channels: i64) -> Self {
        Self {
            name: scope.full_name("weight"),
            weight: scope.param("weight", &[channels], Role::BiasOrNorm, Init::Constant(1.0)),
            bias: scope.param("bias", &[channels], Role::BiasOrNorm, Init::Constant(0.0)),
            mean: scope.buffer("running_mean", &[channels], 0.0),
            variance: scope.buffer("running_var", &[channels], 1.0),
        }
    }

    /// Same shape as the input.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn forward(&self, vars: &Vars<'_>, x: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        let running = (pass.mode != Mode::TrainKeepingStatistics).then(|| (&vars[self.mean], &vars[self.variance]));
        tally::keeps(x);
        tally::normalises(&self.name, x);
        x.f_batch_norm(
            Some(&vars[self.weight]),
            Some(&vars[self.bias]),
            running.map(|(mean, _)| mean),
            running.map(|(_, variance)| variance),
            pass.training(),
            MOMENTUM,
            EPSILON,
            true,
        )
    }
}
