//! Batches, in a seeded order, loaded ahead of their use by threads.
//!
//! What comes out depends on the data set, the batch size, the seed and the epoch, never on the
//! number of threads: see [`random`] for the keys.

mod epoch;
mod queue;
mod work;

use crate::augment::Augment;
use crate::dataset::Dataset;
use crate::shape::ImageShape;
use crate::{DataError, random};
pub use epoch::Epoch;
use std::sync::Arc;
use work::{Pool, Work};

/// How to load.
#[derive(Debug, Clone, PartialEq)]
pub struct LoaderOptions {
    /// Samples per batch, at least 1.
    pub batch_size: usize,
    /// Whether every epoch has its own order; otherwise it is the set's.
    pub shuffle: bool,
    /// What to do to each image.
    pub augment: Augment,
    /// Keys the order and the augmentations.
    pub seed: u64,
    /// Threads that load. 0 loads each batch in the calling thread when it is asked for.
    pub threads: usize,
    /// Batches loaded or being loaded ahead, together; at least `threads` are. Bounds the memory.
    pub prefetch: usize,
    /// Whether to leave out an epoch's last batch if it is smaller than the others.
    pub drop_last: bool,
    /// Use the first so many samples of the set alone.
    pub limit: Option<usize>,
}

impl Default for LoaderOptions {
    /// Batches of 128 in seeded order, no augmentation, seed 0, one thread, four batches ahead, all
    /// samples.
    fn default() -> Self {
        Self {
            batch_size: 128,
            shuffle: true,
            augment: Augment::none(),
            seed: 0,
            threads: 1,
            prefetch: 4,
            drop_last: false,
            limit: None,
        }
    }
}

/// Some samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// `labels.len()` images, one after the other, each channel-major (NCHW), 0..255.
    pub images: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<i64>,
    /// The index of each image in its set.
    pub indices: Vec<u32>,
    /// The shape of one image.
    pub shape: ImageShape,
}

impl Batch {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Makes epochs of batches from a data set.
pub struct Loader {
    dataset: Arc<dyn Dataset>,
    options: Arc<LoaderOptions>,
    samples: u32,
    pool: Arc<Pool>,
}

impl Loader {
    /// A loader of `dataset`. Nothing is loaded yet.
    ///
    /// # Errors
    ///
    /// [`DataError::Loader`] for a batch size or limit of 0, a set that is empty or has more than
    /// 2³² − 1 samples, and when `drop_last` would leave no batch.
    pub fn new(dataset: Arc<dyn Dataset>, options: LoaderOptions) -> Result<Self, DataError> {
        let wrong = |option, problem: String| Err(DataError::Loader { option, problem });
        if options.batch_size == 0 {
            return wrong("batch_size", "must be at least 1".to_string());
        }
        if options.limit == Some(0) {
            return wrong(
                "limit",
                "must be at least 1; leave it out to use all samples".to_string(),
            );
        }
        let samples = dataset.len().min(options.limit.unwrap_or(usize::MAX));
        if samples == 0 {
            return wrong("dataset", format!("`{}` has no samples", dataset.name()));
        }
        let Ok(samples) = u32::try_from(samples) else {
            return wrong("limit", format!("must be below 2^32; the set has {samples} samples"));
        };
        if options.drop_last && (samples as usize) < options.batch_size {
            let size = options.batch_size;
            return wrong(
                "drop_last",
                format!("would leave nothing: {samples} samples do not fill a batch of {size}"),
            );
        }
        // A batch is loaded as bytes, and then becomes numbers of four bytes or more.
        let (batch, bytes) = (options.batch_size.min(samples as usize), dataset.shape().len());
        let needed = batch.checked_mul(bytes).and_then(|bytes| bytes.checked_mul(4));
        if needed.is_none_or(|needed| Vec::<u8>::new().try_reserve_exact(needed).is_err()) {
            return wrong(
                "batch_size",
                format!("is too large: {batch} images of {bytes} bytes do not fit into memory"),
            );
        }
        let pool = Arc::new(Pool::new(options.prefetch.max(options.threads) + 2));
        Ok(Self {
            dataset,
            options: Arc::new(options),
            samples,
            pool,
        })
    }

    /// Samples in use: the set's, or the limit. With `drop_last` an epoch may leave some out.
    pub fn samples(&self) -> usize {
        self.samples as usize
    }

    /// Batches in an epoch.
    pub fn batches_per_epoch(&self) -> usize {
        let (samples, size) = (self.samples as usize, self.options.batch_size);
        if self.options.drop_last {
            samples / size
        } else {
            samples.div_ceil(size)
        }
    }

    /// The set.
    pub fn dataset(&self) -> &Arc<dyn Dataset> {
        &self.dataset
    }

    /// How it loads.
    pub fn options(&self) -> &LoaderOptions {
        &self.options
    }

    /// The batches of epoch number `epoch`, without the first `skip_batches`; loading starts at
    /// once.
    ///
    /// Skipping loads nothing, so that a run resumes in the middle of an epoch at no cost.
    pub fn epoch(&self, epoch: u64, skip_batches: usize) -> Epoch {
        let order = if self.options.shuffle {
            random::shuffled(self.samples, self.options.seed, epoch)
        } else {
            (0..self.samples).collect()
        };
        let work = Work {
            mean: crate::augment::mean_color(&self.dataset.normalization()),
            dataset: Arc::clone(&self.dataset),
            options: Arc::clone(&self.options),
            pool: Arc::clone(&self.pool),
            order,
            epoch,
        };
        Epoch::start(work, skip_batches, self.batches_per_epoch())
    }

    /// Takes the memory of a batch that is no longer needed, for a later one of this loader.
    pub fn recycle(&self, batch: Batch) {
        self.pool.put(batch);
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("dataset", &self.dataset.name())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
