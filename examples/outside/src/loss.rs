//! A loss of one's own.

use dtrp_train::tch::{Kind, Tensor};
use dtrp_train::torch::{Loss, TorchError};

/// The squared distance of the probabilities from the truth (Brier, 1950), a mean over the samples.
pub struct Brier;

impl Loss for Brier {
    fn of(&self, output: &Tensor, labels: &Tensor) -> Result<Tensor, TorchError> {
        let truth = labels.f_one_hot(output.size()[1])?.f_to_kind(output.kind())?;
        let distance = output.f_softmax(1, None::<Kind>)?.f_sub(&truth)?.f_square()?;
        Ok(distance.f_sum(None::<Kind>)?.f_div_scalar(output.size()[0])?)
    }
}
