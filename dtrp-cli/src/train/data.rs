//! What is trained on: the data set and its loaders.

use crate::config::Config;
use crate::error::Error;
use dtrp_data::{Augment, DataSpec, ImageShape, Loader, LoaderOptions, Normalization, Split};
use dtrp_models::ModelInput;

/// Samples in a batch of an evaluation: it needs no gradients, so it may be large.
const TEST_BATCH: usize = 256;

/// A data set, open, with its loaders.
pub(crate) struct Data {
    /// Loads what is trained on.
    pub(crate) train: Loader,
    /// Loads what accuracy is measured on.
    pub(crate) test: Loader,
}

impl Data {
    /// Opens the data set.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let section = &config.data;
        let spec = DataSpec {
            name: section.name.clone(),
            dir: section.dir.clone(),
            shape: section
                .shape
                .map(|[channels, height, width]| ImageShape::new(channels, height, width)),
            resize: section.resize,
            classes: section.classes,
            train_samples: section.train_samples,
            test_samples: section.test_samples,
            seed: section.seed,
        };
        let Split { train, test } = dtrp_data::open(&spec)?;
        let options = LoaderOptions {
            batch_size: section.batch_size,
            shuffle: section.shuffle,
            augment: section.augment.parse()?,
            seed: config.run.seed,
            threads: section.threads,
            prefetch: section.prefetch,
            drop_last: section.drop_last,
            limit: section.limit,
        };
        let test_options = LoaderOptions {
            batch_size: TEST_BATCH,
            shuffle: false,
            augment: Augment::none(),
            drop_last: false,
            limit: section.test_limit,
            ..options
        };
        let data = Self {
            train: Loader::new(train, options)?,
            test: Loader::new(test, test_options)?,
        };
        data.check_micro_batches(config.method.micro_batches)?;
        Ok(data)
    }

    /// What a network must take and tell apart.
    pub(crate) fn input(&self) -> ModelInput {
        let set = self.train.dataset();
        let ImageShape {
            channels,
            height,
            width,
        } = set.shape();
        ModelInput {
            channels,
            height,
            width,
            classes: set.classes(),
        }
    }

    /// How pixels are normalised: what was measured on the training part holds for both.
    pub(crate) fn normalization(&self) -> Normalization {
        self.train.dataset().normalization()
    }

    /// How large the batches of an epoch are.
    pub(crate) fn sizes(&self) -> BatchSizes {
        BatchSizes {
            size: self.train.options().batch_size,
            samples: self.train.samples(),
        }
    }

    /// Every batch must have a sample for each of its micro-batches.
    fn check_micro_batches(&self, parts: u16) -> Result<(), Error> {
        let last = self.sizes().of(self.train.batches_per_epoch());
        if last >= usize::from(parts) {
            return Ok(());
        }
        let samples = self.train.samples();
        Err(Error::Fit(format!(
            "the last batch of an epoch has {last} of the {samples} samples and cannot be split into \
             method.micro_batches = {parts}; set data.drop_last: true, or another data.batch_size"
        )))
    }
}

/// The sizes of an epoch's batches: all the same, but for the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchSizes {
    size: usize,
    samples: usize,
}

impl BatchSizes {
    /// Samples in batch `batch`, from 1.
    pub(crate) fn of(&self, batch: usize) -> usize {
        self.up_to(batch) - self.up_to(batch - 1)
    }

    /// Samples in the first `batches` batches.
    pub(crate) fn up_to(&self, batches: usize) -> usize {
        (batches * self.size).min(self.samples)
    }
}
