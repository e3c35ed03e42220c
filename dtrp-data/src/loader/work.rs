//! How one batch is made.

use super::{Batch, LoaderOptions};
use crate::DataError;
use crate::dataset::Dataset;
use crate::random::Stream;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// All that it takes to make any batch of one epoch, in any order.
pub(super) struct Work {
    pub(super) dataset: Arc<dyn Dataset>,
    pub(super) options: Arc<LoaderOptions>,
    pub(super) pool: Arc<Pool>,
    pub(super) mean: Vec<u8>,
    pub(super) order: Vec<u32>,
    pub(super) epoch: u64,
}

impl Work {
    /// Batch `number` of the epoch; a panic of the data set is an error.
    pub(super) fn make(&self, number: usize, scratch: &mut Vec<u8>) -> Result<Batch, DataError> {
        let size = self.options.batch_size;
        let indices = &self.order[number * size..((number + 1) * size).min(self.order.len())];
        let mut at = 0;
        // After a panic the batch is dropped whole, so that nothing half-made is seen.
        catch_unwind(AssertUnwindSafe(|| self.fill(indices, scratch, &mut at))).unwrap_or_else(|panic| {
            Err(DataError::Panicked {
                dataset: self.dataset.name().to_string(),
                index: at,
                message: message(panic.as_ref()),
            })
        })
    }

    fn fill(&self, indices: &[u32], scratch: &mut Vec<u8>, at: &mut usize) -> Result<Batch, DataError> {
        let shape = self.dataset.shape();
        let mut batch = self.pool.take();
        batch.shape = shape;
        batch.labels.clear();
        batch.indices.clear();
        batch.indices.extend_from_slice(indices);
        batch.images.resize(indices.len() * shape.len(), 0);
        for (image, &index) in batch.images.chunks_exact_mut(shape.len().max(1)).zip(indices) {
            *at = index as usize;
            let augment = &self.options.augment;
            let label = if augment.is_none() {
                self.dataset.get(*at, image)?
            } else {
                let mut stream = Stream::new(self.options.seed, "augment", self.epoch, u64::from(index));
                augment.load(self.dataset.as_ref(), *at, image, &self.mean, &mut stream, scratch)?
            };
            batch.labels.push(i64::from(label));
        }
        Ok(batch)
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(no message)").to_string()
}

/// Memory of used batches.
pub(super) struct Pool {
    batches: Mutex<Vec<Batch>>,
    most: usize,
}

impl Pool {
    pub(super) fn new(most: usize) -> Self {
        Self {
            batches: Mutex::default(),
            most,
        }
    }

    pub(super) fn put(&self, batch: Batch) {
        let mut batches = super::queue::lock(&self.batches);
        if batches.len() < self.most {
            batches.push(batch);
        }
    }

    fn take(&self) -> Batch {
        super::queue::lock(&self.batches).pop().unwrap_or_else(|| Batch {
            images: Vec::new(),
            labels: Vec::new(),
            indices: Vec::new(),
            shape: crate::ImageShape::new(0, 0, 0),
        })
    }
}
