//! Tensors that survive a file, with the way in which they lie in memory.

use super::lying::{Lying, once};
use crate::torch::TorchError;
use crate::torch::network::copy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Tensors by name, contiguous and in host memory.
pub type Tensors = BTreeMap<String, Tensor>;

/// A tensor among [`Tensors`], and how it lay in memory.
///
/// How a tensor lies decides which algorithm an operator takes, and in which order it adds up: with channels last, with
/// dimensions that only repeat, at an address that no vector begins at. So a tensor that goes through a file comes back lying as
/// it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedTensor {
    /// Its name. Dimensions that only repeat are saved with size 1.
    pub name: String,
    /// Its shape.
    pub size: Vec<i64>,
    /// Elements from one to the next in each dimension; 0 where a dimension repeats.
    pub stride: Vec<i64>,
    /// Elements from the last 64-byte boundary to its first one.
    pub offset: i64,
}

impl SavedTensor {
    /// Copies a tensor to `tensors` under this name. What computes it must be done.
    pub(crate) fn save(name: String, tensor: &Tensor, tensors: &mut Tensors) -> Result<Self, TorchError> {
        let Lying { size, stride, offset } = Lying::of(tensor);
        tensors.insert(name.clone(), host(&once(tensor)?)?);
        Ok(Self {
            name,
            size,
            stride,
            offset,
        })
    }

    /// The tensor on a device, lying as it did.
    pub(crate) fn restore(&self, tensors: &Tensors, device: Device) -> Result<Tensor, TorchError> {
        let values = find(tensors, &self.name)?;
        let kind = values.f_kind()?;
        let tensor = self.lying().zeros(kind, device)?.ok_or_else(|| TorchError::Unfit {
            what: format!("`{}` cannot lie as the checkpoint says that it does", self.name),
        })?;
        let mut place = once(&tensor)?;
        if place.size() != values.size() {
            return Err(TorchError::Shape {
                name: self.name.clone(),
                found: values.size(),
                expected: place.size(),
            });
        }
        place.f_copy_(values)?;
        Ok(tensor)
    }

    fn lying(&self) -> Lying {
        Lying {
            size: self.size.clone(),
            stride: self.stride.clone(),
            offset: self.offset,
        }
    }
}

/// A contiguous copy in host memory, with storage of its own.
pub(in crate::torch) fn host(tensor: &Tensor) -> Result<Tensor, TorchError> {
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?;
    copy(&tensor.f_contiguous()?)
}

/// The tensor of this name.
pub(in crate::torch) fn find<'a>(tensors: &'a Tensors, name: &str) -> Result<&'a Tensor, TorchError> {
    tensors
        .get(name)
        .ok_or_else(|| TorchError::Absent { name: name.to_owned() })
}

/// Copies the tensor of this name into `place`, which has its shape and element type.
pub(in crate::torch) fn take(tensors: &Tensors, name: &str, place: &Tensor) -> Result<(), TorchError> {
    let values = find(tensors, name)?;
    let kind = |tensor: &Tensor| -> Result<Kind, TorchError> { Ok(tensor.f_kind()?) };
    let (found, expected) = (kind(values)?, kind(place)?);
    if found != expected {
        return Err(TorchError::ElementType {
            name: name.to_owned(),
            found,
            expected,
        });
    }
    if values.size() != place.size() {
        return Err(TorchError::Shape {
            name: name.to_owned(),
            found: values.size(),
            expected: place.size(),
        });
    }
    // What is known of the values is not theirs: no graph is told of the change.
    tch::no_grad(|| Ok(place.f_data()?.f_copy_(values)?))
}

#[cfg(test)]
mod tests {
    use super::super::lying::ALIGNMENT;
    use super::*;

    /// Saves and restores a tensor.
    fn back(tensor: &Tensor) -> Tensor {
        let mut tensors = Tensors::new();
        let saved = SavedTensor::save("x".to_owned(), tensor, &mut tensors).unwrap();
        assert!(tensors["x"].is_contiguous());
        let saved = serde_json::from_str::<SavedTensor>(&serde_json::to_string(&saved).unwrap()).unwrap();
        saved.restore(&tensors, Device::Cpu).unwrap()
    }

    #[test]
    fn tensors_lie_as_they_did() {
        let x = Tensor::arange(2 * 3 * 4 * 5, (Kind::Float, Device::Cpu)).view([2, 3, 4, 5]);
        let tensors = [
            x.shallow_clone(),
            x.permute([0, 3, 1, 2]),
            x.narrow(0, 1, 1),
            x.narrow(2, 1, 2),
            x.narrow(2, 1, 1).expand([2, 3, 9, 5], false),
            x.sum(Kind::Float).expand([4, 4], false),
            x.narrow(1, 0, 0),
            x.select(3, 2).to_kind(Kind::Int64),
            Tensor::from(3.0),
        ];
        for tensor in tensors {
            let read = back(&tensor);
            assert!(read.equal(&tensor));
            assert_eq!(
                (read.size(), read.stride(), read.kind()),
                (tensor.size(), tensor.stride(), tensor.kind())
            );
            let beyond = |tensor: &Tensor| tensor.data_ptr() as usize % ALIGNMENT;
            assert!(tensor.numel() == 0 || beyond(&read) == beyond(&tensor));
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let mut tensors = Tensors::new();
        let saved = SavedTensor::save("x".to_owned(), &Tensor::from_slice(&[1.0f32, 2.0]), &mut tensors).unwrap();
        let fails = |saved: SavedTensor| saved.restore(&tensors, Device::Cpu).unwrap_err().to_string();
        let with = |size: &[i64], stride: &[i64], offset| SavedTensor {
            name: "x".to_owned(),
            size: size.to_vec(),
            stride: stride.to_vec(),
            offset,
        };
        for (size, stride, offset) in [
            (&[2][..], &[-1][..], 0),
            (&[2], &[1, 1], 0),
            (&[2], &[i64::MAX], 0),
            (&[-2], &[1], 0),
            (&[2], &[1], -1),
        ] {
            let told = fails(with(size, stride, offset));
            assert!(told.contains("`x` cannot lie as the checkpoint says"), "{told}");
        }
        assert!(fails(with(&[3], &[1], 0)).contains("shape [2]"));
        let other = SavedTensor {
            name: "y".to_owned(),
            ..saved
        };
        assert!(fails(other).contains("no tensor `y`"));
    }
}
