//! Activation functions.

use super::tally;
use tch::{TchError, Tensor};

/// ReLU in place: for an output that nobody else holds and whose own backward does not read it, such as that of a
/// convolution, a normalisation or a sum. Same shape as the input.
///
/// # Errors
///
/// Those of libtorch.
pub fn relu(mut x: Tensor) -> Result<Tensor, TchError> {
    let y = x.f_relu_()?;
    tally::keeps(&y);
    Ok(y)
}
