//! Pooling.

use super::tally;
use tch::{TchError, Tensor};

/// Bytes of one of the indices that libtorch keeps of where each maximum was found.
const INDEX_BYTES: u64 = 8;

/// The maximum of each square window; the image is padded on every side with −∞.
///
/// samples × channels × h × w to samples × channels × h' × w' with h' = ⌊(h + 2·padding − kernel) / stride⌋ + 1.
///
/// # Errors
///
/// Those of libtorch.
pub fn max_pool(x: &Tensor, kernel: i64, stride: i64, padding: i64) -> Result<Tensor, TchError> {
    let y = x.f_max_pool2d([kernel; 2], [stride; 2], [padding; 2], [1, 1], false)?;
    tally::keeps(x);
    tally::keeps_bytes(y.numel() as u64 * INDEX_BYTES);
    Ok(y)
}

/// The means of `size` (height, width) windows that cover the image evenly, flattened.
///
/// samples × channels × h × w to samples × (channels · size\[0\] · size\[1\]).
///
/// # Errors
///
/// Those of libtorch.
pub fn average_pool(x: &Tensor, size: [i64; 2]) -> Result<Tensor, TchError> {
    if size != [1, 1] {
        // Of a plain mean libtorch keeps the shape only.
        tally::keeps(x);
    }
    x.f_adaptive_avg_pool2d(size)?.f_flatten(1, -1)
}
