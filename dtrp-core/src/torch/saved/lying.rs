//! How a tensor lies in memory.

use crate::torch::TorchError;
use tch::{Device, Kind, Tensor};

/// Bytes from whose multiples libtorch's memory begins, on every device.
pub(super) const ALIGNMENT: usize = 64;

/// How a tensor lies: how that decides the bits of what is computed from it says [`SavedTensor`](super::SavedTensor).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::torch) struct Lying {
    /// Its shape.
    pub(in crate::torch) size: Vec<i64>,
    /// Elements from one to the next in each dimension; 0 where a dimension repeats.
    pub(in crate::torch) stride: Vec<i64>,
    /// Elements from the last 64-byte boundary to its first one.
    pub(in crate::torch) offset: i64,
}

impl Lying {
    /// How this tensor does.
    pub(in crate::torch) fn of(tensor: &Tensor) -> Self {
        let element = tensor.kind().elt_size_in_bytes().max(1);
        Self {
            size: tensor.size(),
            stride: tensor.stride(),
            offset: (tensor.data_ptr() as usize % ALIGNMENT / element) as i64,
        }
    }

    /// A tensor of zeros that lies so; `None` where the numbers make no sense.
    pub(in crate::torch) fn zeros(&self, kind: Kind, device: Device) -> Result<Option<Tensor>, TorchError> {
        let Some(total) = self.extent() else {
            return Ok(None);
        };
        let flat = Tensor::f_zeros([total], (kind, device))?;
        Ok(Some(flat.f_as_strided(&self.size, &self.stride, self.offset)?))
    }

    /// Elements from the boundary to the end of the last one; `None` where the numbers make no sense.
    pub(in crate::torch) fn extent(&self) -> Option<i64> {
        let sane = |numbers: &[i64]| numbers.iter().all(|n| *n >= 0);
        if self.size.len() != self.stride.len() || !sane(&self.size) || !sane(&self.stride) {
            return None;
        }
        if !(0..ALIGNMENT as i64).contains(&self.offset) {
            return None;
        }
        if self.size.contains(&0) {
            return Some(self.offset);
        }
        let places = self.size.iter().zip(&self.stride);
        places.into_iter().try_fold(self.offset + 1, |sum, (size, stride)| {
            sum.checked_add((size - 1).checked_mul(*stride)?)
        })
    }
}

/// The tensor with size 1 where a dimension only repeats.
pub(in crate::torch) fn once(tensor: &Tensor) -> Result<Tensor, TorchError> {
    let mut once = tensor.shallow_clone();
    let places = tensor.size().into_iter().zip(tensor.stride());
    for (dimension, (size, stride)) in (0..).zip(places) {
        if stride == 0 && size > 1 {
            once = once.f_narrow(dimension, 0, 1)?;
        }
    }
    Ok(once)
}

/// All elements of a tensor as they lie in memory, in one dimension, without a copy; `None` where there are gaps, or some lie
/// at the same place.
pub(in crate::torch) fn flat(tensor: &Tensor) -> Result<Option<Tensor>, TorchError> {
    let mut places: Vec<(i64, i64)> = tensor.stride().into_iter().zip(tensor.size()).collect();
    places.retain(|(_, size)| *size != 1);
    places.sort_unstable();
    let mut next = 1i64;
    for (stride, size) in places {
        if stride != next {
            return Ok(None);
        }
        next = next.saturating_mul(size);
    }
    Ok(Some(tensor.f_as_strided([tensor.numel() as i64], [1], None)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_without_gaps_is_flat_as_it_lies() {
        let x = Tensor::arange(24, (Kind::Int64, Device::Cpu)).view([2, 3, 4]);
        let values = |x: &Tensor| flat(x).unwrap().map(|x| Vec::<i64>::try_from(&x).unwrap());
        let all: Vec<i64> = (0..24).collect();
        for whole in [
            x.shallow_clone(),
            x.permute([2, 0, 1]),
            x.transpose(0, 1),
            x.unsqueeze(1),
        ] {
            assert_eq!(values(&whole).unwrap(), all);
        }
        assert_eq!(values(&x.narrow(0, 1, 1)).unwrap(), all[12..]);
        assert_eq!(values(&x.select(0, 0).select(0, 0).select(0, 3)).unwrap(), [3]);
        // Gaps, and elements at the same place: nine of them in nine places.
        assert_eq!(values(&x.narrow(2, 0, 2)), None);
        assert_eq!(values(&x.as_strided([3, 3], [2, 2], None)), None);
    }
}
