//! A step on random data, to see that what was built runs, and what it takes.

use super::Trainer;
use crate::error::Result;
use crate::events::{GpuSummary, Summary, peak_rss_bytes};
use dtrp_core::torch::DeviceRoom;
use dtrp_data::{Augment, InMemory, Loader, LoaderOptions};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::Device;

/// What a step on random data took.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// Batches of the step: one, or those of a program that was given.
    pub batches: u32,
    /// How long it was, from the first batch to the last update. It is the first, so memory was allocated and kernels were chosen.
    pub time: Duration,
    /// Most memory that the process has held so far; `None` where the system does not say.
    pub peak_rss_bytes: Option<u64>,
    /// What the workers and GPUs hold, as of a run.
    pub summary: Summary,
    /// How large each GPU of the run is, in the order of the summary; `None` where its driver does not say.
    pub gpus: Vec<Option<DeviceRoom>>,
}

impl Trainer {
    /// Trains one step on random images of the right shape and number, and gives the trainer up: nothing of what it was, of its
    /// data or of a run is kept, and no subscriber is told.
    ///
    /// # Errors
    ///
    /// [`TrainError`](crate::TrainError) of a worker, [`TrainError::Stopped`](crate::TrainError::Stopped), or
    /// [`TrainError::Data`](crate::TrainError::Data) where there is no room for the images.
    pub fn rehearse(mut self) -> Result<Rehearsal> {
        let batches = self.recipe.program.as_ref().map_or(1, |program| program.batches);
        let set = self.loaders.train.dataset();
        let (shape, classes) = (set.shape(), set.classes());
        let batch = self.loaders.sizes().of(1);
        let mut state = self.recipe.settings.run.seed | 1;
        let mut random = move || {
            // Xorshift (Marsaglia, 2003): any images do.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let samples = (0..batch * batches as usize).map(|_| {
            let image = (0..shape.len()).map(|_| random() as u8).collect();
            (image, (random() % classes as u64) as u32)
        });
        let set = InMemory::new("random images", shape, classes, samples)?;
        let options = LoaderOptions {
            batch_size: batch,
            shuffle: false,
            augment: Augment::none(),
            limit: None,
            ..self.loaders.train.options().clone()
        };
        self.loaders.train = Loader::new(Arc::new(set), options)?;
        let start = Instant::now();
        self.stretch(0, batches)?;
        let summary = self.summary(&Ok(()));
        let room = |gpu: &GpuSummary| {
            let index = gpu.device.strip_prefix("cuda:")?.parse().ok()?;
            DeviceRoom::of(Device::Cuda(index)).ok().flatten()
        };
        Ok(Rehearsal {
            gpus: summary.gpus.iter().flatten().map(room).collect(),
            batches,
            time: start.elapsed(),
            peak_rss_bytes: peak_rss_bytes(),
            summary,
        })
    }
}
