//! Losses on their way to whoever follows the training.

use super::batch::LossEvent;
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::device::{HostReads, Readback};
use tch::Tensor;

/// Reads the losses of units back, adds up those of a batch, and tells them.
#[derive(Default)]
pub(super) struct Losses {
    readback: Readback<Part>,
    observer: Option<Box<dyn FnMut(LossEvent) + Send>>,
    /// Of the batch that is being added up.
    sum: f64,
}

/// What is known of a loss before its value.
struct Part {
    unit: Unit,
    parts: u16,
    rate: f64,
}

impl Losses {
    /// Calls `observer` with every batch's loss.
    pub(super) fn observe(&mut self, observer: impl FnMut(LossEvent) + Send + 'static) {
        self.observer = Some(Box::new(observer));
    }

    /// Takes the loss of a unit, one of `parts` of its batch, and tells what has become known. `rate` is the learning rate
    /// of the next update.
    ///
    /// # Errors
    ///
    /// [`TorchError::Diverged`] where a loss is not finite; on a GPU it may be that of an earlier unit.
    pub(super) fn take(&mut self, unit: Unit, parts: u16, rate: f64, loss: &Tensor) -> Result<(), TorchError> {
        self.readback.send_for(Part { unit, parts, rate }, loss)?;
        self.tell(false)
    }

    /// Tells the losses that have arrived; with `all`, waits for the others.
    pub(super) fn tell(&mut self, all: bool) -> Result<(), TorchError> {
        while let Some((part, values)) = self.readback.next(all)? {
            let Part { unit, parts, rate } = part;
            let loss: f64 = values.iter().sum();
            if !loss.is_finite() {
                return Err(TorchError::Diverged { unit, loss });
            }
            self.sum += loss;
            if unit.micro == 0 || unit.micro == parts {
                let event = LossEvent {
                    batch: unit.batch,
                    loss: std::mem::take(&mut self.sum),
                    rate,
                };
                if let Some(observer) = &mut self.observer {
                    observer(event);
                }
            }
        }
        Ok(())
    }

    /// Forgets what an interrupted program left behind.
    pub(super) fn clear(&mut self) {
        self.readback.clear();
        self.sum = 0.0;
    }

    /// Whether some have not arrived.
    pub(super) fn is_reading(&self) -> bool {
        !self.readback.is_empty()
    }

    /// Of the batch that is being added up.
    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    /// Goes on from such a sum.
    pub(super) fn resume(&mut self, sum: f64) {
        self.sum = sum;
    }

    /// How the host has read them.
    pub(super) fn reads(&self) -> HostReads {
        self.readback.reads()
    }
}
