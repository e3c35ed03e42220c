//! Batches as the first module takes them: tensors, normalised.
//!
//! Pixels travel to the device as bytes, a quarter of what floats would be, ahead of the work that needs them; there they
//! change their layout and are normalised. Labels go straight to the device of the module that computes the loss.

use crate::stop::Stop;
use dtrp_core::engine::Pause;
use dtrp_core::schedule::Unit;
use dtrp_core::torch::{Input, Source, TorchError, Upload};
use dtrp_data::{Batch, Epoch, Normalization};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// The form of batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchForm {
    /// Element type of the images.
    pub(crate) kind: Kind,
    /// Whether a pixel's channels lie side by side in memory.
    pub(crate) channels_last: bool,
    /// Micro-batches of a batch (1: it is not split).
    pub(crate) parts: u16,
}

/// How batches become tensors.
pub(crate) struct Feed {
    mean: Tensor,
    std: Tensor,
    form: BatchForm,
    images: Upload,
    labels: Upload,
}

impl Feed {
    /// For images on the first of these devices and labels on the second.
    pub(crate) fn new(
        normalization: &Normalization,
        form: BatchForm,
        [images, labels]: [Device; 2],
    ) -> Result<Self, TorchError> {
        let constants = |values: &[f32]| {
            // The constants are decimal numbers, 0.4914 say; in double precision the nearest number to that is meant,
            // not the one nearest to its single-precision rounding.
            let exact = |value: &f32| value.to_string().parse().unwrap_or(f64::from(*value));
            let values: Vec<f64> = values.iter().map(exact).collect();
            let tensor = Tensor::f_from_slice(&values)?;
            let tensor = tensor.f_to_kind(form.kind)?.f_to_device(images)?;
            tensor.f_view([1, values.len() as i64, 1, 1])
        };
        Ok(Self {
            mean: constants(&normalization.mean)?,
            std: constants(&normalization.std)?,
            form,
            images: Upload::new(images)?,
            labels: Upload::new(labels)?,
        })
    }

    /// The images of a batch as (pixel / 255 − mean) / std.
    fn images(&self, batch: &Batch) -> Result<Tensor, TorchError> {
        let [channels, height, width] = [batch.shape.channels, batch.shape.height, batch.shape.width].map(|n| n as i64);
        let shape = [batch.len() as i64, channels, height, width];
        let bytes = Tensor::f_from_data_size(&batch.images, &shape, Kind::Uint8)?;
        let mut bytes = self.images.upload(&bytes)?;
        if self.form.channels_last {
            let pixels = bytes.f_permute([0, 2, 3, 1])?.f_contiguous()?;
            bytes = pixels.f_permute([0, 3, 1, 2])?;
        }
        let mut images = bytes.f_to_kind(self.form.kind)?;
        let _ = images.f_div_scalar_(255.0)?;
        let _ = images.f_sub_(&self.mean)?;
        let _ = images.f_div_(&self.std)?;
        Ok(images)
    }

    fn labels(&self, batch: &Batch) -> Result<Tensor, TorchError> {
        self.labels.upload(&Tensor::f_from_slice(&batch.labels)?)
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

/// When something is due, if it is; shared between who says it and who looks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Due(Arc<Mutex<Option<Instant>>>);

impl Due {
    /// Sets the time.
    pub(crate) fn set(&self, time: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    fn has_come(&self) -> bool {
        let time = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        time.is_some_and(|time| Instant::now() >= time)
    }
}

/// Who may interrupt a program, and how.
#[derive(Clone)]
pub(crate) struct Interrupts {
    /// Ends it at once, in the middle of what it is doing.
    pub(crate) halt: Stop,
    /// Ends it as soon as may be.
    pub(crate) stop: Stop,
    /// When a pause is due.
    pub(crate) due: Due,
    /// How a program is paused, so that it can be gone on with; without it a stop ends it at once.
    pub(crate) pause: Option<Pause>,
}

impl Interrupts {
    /// Looks whether somebody wants something.
    fn check(&self) -> Result<(), TorchError> {
        if self.halt.requested() {
            return Err(TorchError::Stopped);
        }
        match &self.pause {
            Some(pause) if self.stop.requested() || self.due.has_come() => pause.request(),
            None if self.stop.requested() => return Err(TorchError::Stopped),
            _ => {}
        }
        Ok(())
    }
}

/// The batches of an epoch, or of a part of it.
pub(crate) struct Batches {
    epoch: Epoch,
    feed: Feed,
    interrupts: Interrupts,
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
    /// Turns what `epoch` loads into tensors, until somebody interrupts.
    pub(crate) fn new(epoch: Epoch, feed: Feed, interrupts: Interrupts) -> Self {
        Self {
            epoch,
            feed,
            interrupts,
            waited: Waited::default(),
            current: None,
        }
    }

    /// The clock of its waiting.
    pub(crate) fn waited(&self) -> Waited {
        self.waited.clone()
    }

    fn load(&mut self) -> Result<Whole, TorchError> {
        let none = || TorchError::Data("the epoch has no more batches".into());
        let batch = self.epoch.next().ok_or_else(none)?;
        let waited = (self.epoch.wait_seconds() * 1e9) as u64;
        self.waited.0.store(waited, Ordering::Relaxed);
        let batch = batch.map_err(|error| TorchError::Data(Box::new(error)))?;
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
        self.interrupts.check()?;
        let whole = match self.current.take() {
            Some(whole) if unit.micro > 1 => whole,
            // A program that is gone on with may begin in the middle of a batch.
            _ => self.load()?,
        };
        let whole = self.current.insert(whole);
        if unit.micro == 0 {
            return Ok(Input {
                images: whole.images.shallow_clone(),
                labels: whole.labels.shallow_clone(),
                share: 1.0,
                parts: 1,
            });
        }
        let (start, length) = part(whole.samples, self.feed.form.parts, unit.micro);
        Ok(Input {
            images: whole.images.f_narrow(0, start as i64, length as i64)?,
            labels: whole.labels.f_narrow(0, start as i64, length as i64)?,
            share: length as f64 / whole.samples as f64,
            parts: self.feed.form.parts,
        })
    }
}

/// Start and length of part `part` (from 1) of `samples` in `parts` nearly equal parts, the larger ones first.
fn part(samples: usize, parts: u16, part: u16) -> (usize, usize) {
    let (parts, index) = (usize::from(parts.max(1)), usize::from(part) - 1);
    let (size, larger) = (samples / parts, samples % parts);
    (index * size + index.min(larger), size + usize::from(index < larger))
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
        let form = BatchForm {
            kind: Kind::Double,
            channels_last: true,
            parts: 1,
        };
        let feed = Feed::new(&normalization, form, [Device::Cpu; 2]).unwrap();
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
