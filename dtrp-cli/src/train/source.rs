//! Batches as the first module takes them: tensors, normalised, channels last.

use super::stop::Stop;
use dtrp_core::schedule::Unit;
use dtrp_core::torch::{Input, Source, TorchError};
use dtrp_data::{Batch, Epoch, Normalization};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// How batches become tensors.
pub(crate) struct Feed {
    mean: Tensor,
    std: Tensor,
    kind: Kind,
    device: Device,
    parts: u16,
}

impl Feed {
    /// For batches on `device` that are split into `parts` micro-batches (1: not at all).
    pub(super) fn new(
        normalization: &Normalization,
        kind: Kind,
        device: Device,
        parts: u16,
    ) -> Result<Self, TorchError> {
        let constants = |values: &[f32]| {
            // The constants are decimal numbers, 0.4914 say; in double precision the nearest number to that is meant,
            // not the one nearest to its single-precision rounding.
            let exact = |value: &f32| value.to_string().parse().unwrap_or(f64::from(*value));
            let values: Vec<f64> = values.iter().map(exact).collect();
            let tensor = Tensor::f_from_slice(&values)?;
            let tensor = tensor.f_to_kind(kind)?.f_to_device(device)?;
            tensor.f_view([1, values.len() as i64, 1, 1])
        };
        Ok(Self {
            mean: constants(&normalization.mean)?,
            std: constants(&normalization.std)?,
            kind,
            device,
            parts,
        })
    }

    /// The images of a batch as (pixel / 255 − mean) / std.
    fn images(&self, batch: &Batch) -> Result<Tensor, TorchError> {
        let [channels, height, width] =
            [batch.shape.channels, batch.shape.height, batch.shape.width].map(|n| n as i64);
        let shape = [batch.len() as i64, channels, height, width];
        // Bytes travel to the device and change their layout there: a quarter of what floats would be.
        let bytes = Tensor::f_from_data_size(&batch.images, &shape, Kind::Uint8)?;
        let bytes = bytes.f_to_device(self.device)?;
        let channels_last = bytes.f_permute([0, 2, 3, 1])?.f_contiguous()?;
        let mut images = channels_last
            .f_permute([0, 3, 1, 2])?
            .f_to_kind(self.kind)?;
        let _ = images.f_div_scalar_(255.0)?;
        let _ = images.f_sub_(&self.mean)?;
        let _ = images.f_div_(&self.std)?;
        Ok(images)
    }

    fn labels(&self, batch: &Batch) -> Result<Tensor, TorchError> {
        Ok(Tensor::f_from_slice(&batch.labels)?.f_to_device(self.device)?)
    }
}

/// The time that a source has waited for its loader; shared with whoever reports it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waited(Arc<AtomicU64>);

impl Waited {
    /// So far.
    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The batches of an epoch, or of a part of it.
pub(crate) struct Batches {
    epoch: Epoch,
    feed: Feed,
    stop: Stop,
    waited: Waited,
    current: Option<Whole>,
}

/// The batch that is being handed out.
struct Whole {
    images: Tensor,
    labels: Tensor,
    samples: usize,
}

impl Batches {
    /// Turns what `epoch` loads into tensors, until `stop`.
    pub(super) fn new(epoch: Epoch, feed: Feed, stop: Stop) -> Self {
        Self {
            epoch,
            feed,
            stop,
            waited: Waited::default(),
            current: None,
        }
    }

    /// The clock of its waiting.
    pub(crate) fn waited(&self) -> Waited {
        self.waited.clone()
    }

    fn load(&mut self) -> Result<Whole, TorchError> {
        let none = || TorchError::Data("the epoch has no more batches".to_owned());
        let batch = self.epoch.next().ok_or_else(none)?;
        let waited = (self.epoch.wait_seconds() * 1e9) as u64;
        self.waited.0.store(waited, Ordering::Relaxed);
        let batch = batch.map_err(|error| TorchError::Data(error.to_string()))?;
        let whole = Whole {
            images: self.feed.images(&batch)?,
            labels: self.feed.labels(&batch)?,
            samples: batch.len(),
        };
        self.epoch.recycle(batch);
        Ok(whole)
    }
}

impl Source for Batches {
    fn next(&mut self, unit: Unit) -> Result<Input, TorchError> {
        if self.stop.requested() {
            return Err(TorchError::Data(Stop::MESSAGE.to_owned()));
        }
        if unit.micro <= 1 {
            self.current = Some(self.load()?);
        }
        let missing = || TorchError::Data(format!("micro-batch {unit} is asked for too early"));
        let whole = self.current.as_ref().ok_or_else(missing)?;
        if unit.micro == 0 {
            return Ok(Input {
                images: whole.images.shallow_clone(),
                labels: whole.labels.shallow_clone(),
                share: 1.0,
                parts: 1,
            });
        }
        let (start, length) = part(whole.samples, self.feed.parts, unit.micro);
        Ok(Input {
            images: whole.images.f_narrow(0, start as i64, length as i64)?,
            labels: whole.labels.f_narrow(0, start as i64, length as i64)?,
            share: length as f64 / whole.samples as f64,
            parts: self.feed.parts,
        })
    }
}

/// Start and length of part `part` (from 1) of `samples` in `parts` nearly equal parts, the larger ones first.
fn part(samples: usize, parts: u16, part: u16) -> (usize, usize) {
    let (parts, index) = (usize::from(parts.max(1)), usize::from(part) - 1);
    let (size, larger) = (samples / parts, samples % parts);
    (
        index * size + index.min(larger),
        size + usize::from(index < larger),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtrp_data::ImageShape;

    #[test]
    fn parts_cover_the_batch() {
        for (samples, parts) in [(8, 4), (10, 4), (5, 5), (7, 2), (64, 1)] {
            let mut next = 0;
            for k in 1..=parts {
                let (start, length) = part(samples, parts, k);
                assert_eq!(start, next);
                assert!(length.abs_diff(samples / usize::from(parts)) <= 1 && length > 0);
                next += length;
            }
            assert_eq!(next, samples);
        }
    }

    #[test]
    fn pixels_are_normalised_and_lie_channels_last() {
        let normalization = Normalization::new(&[0.4914, 0.5], &[0.25, 0.5]);
        let feed = Feed::new(&normalization, Kind::Double, Device::Cpu, 1).unwrap();
        let batch = Batch {
            images: vec![0, 51, 102, 153, 204, 255, 0, 255],
            labels: vec![3],
            indices: vec![0],
            shape: ImageShape::new(2, 2, 2),
        };
        let images = feed.images(&batch).unwrap();
        assert_eq!(images.size(), [1, 2, 2, 2]);
        assert_eq!(images.stride(), [8, 1, 4, 2]);
        let value = |c: i64, y: i64, x: i64| images.double_value(&[0, c, y, x]);
        assert_eq!(value(0, 0, 1), (51.0 / 255.0 - 0.4914) / 0.25);
        assert_eq!(value(1, 1, 0), (0.0 - 0.5) / 0.5);
    }
}
