//! What is trained on: a data set of the registry, or the caller's own samples, with how it is loaded.

mod source;

pub(crate) use source::{BatchForm, Batches, Due, Feed, Interrupts, Waited};

use crate::error::TrainError;
use crate::settings::DataSettings;
use dtrp_data::{
    Augment, DataError, DataSpec, Dataset, ImageShape, InMemory, Loader, LoaderOptions, Normalization, Split,
};
use dtrp_models::ModelInput;
use std::sync::Arc;

/// Samples in a batch of an evaluation: it needs no gradients, so it may be large.
const TEST_BATCH: usize = 256;

/// What is trained on, and how it is loaded.
///
/// ```
/// # fn main() -> dtrp_train::Result<()> {
/// let digits = dtrp_train::Data::open("digits")?.batch_size(64).augment("crop:1");
/// assert_eq!(digits.input().classes, 10);
///
/// // Samples of one's own: any iterators of pixels (channels, then rows, 0..255) and classes.
/// let samples = |count: u32| (0..count).map(|n| (vec![(n % 2 * 255) as u8; 16], n % 2));
/// let shape = dtrp_train::ImageShape::new(1, 4, 4);
/// let own = dtrp_train::Data::of_samples("stripes", shape, 2, samples(100), samples(20))?;
/// assert_eq!(own.input().height, 4);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Data {
    split: Split,
    settings: DataSettings,
}

impl Data {
    /// Opens a data set of the registry: `"digits"`, or a [`DataSpec`] with folder and options.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] when there is no such set, or its files are not as they should be.
    pub fn open(spec: impl Into<DataSpec>) -> Result<Self, TrainError> {
        let DataSpec { name, dir, options } = spec.into();
        Self::from_settings(&DataSettings {
            name,
            dir,
            options,
            ..DataSettings::default()
        })
    }

    /// Opens what the settings name.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_settings(settings: &DataSettings) -> Result<Self, TrainError> {
        Ok(Self {
            split: dtrp_data::open(&settings.spec())?,
            settings: settings.clone(),
        })
    }

    /// Two parts of a data set that the caller has.
    pub fn of(split: Split) -> Self {
        let settings = DataSettings {
            name: split.train.name().to_owned(),
            augment: "none".to_owned(),
            ..DataSettings::default()
        };
        Self { split, settings }
    }

    /// Samples of the caller's own, to train on and to test on, kept in memory: for each the pixels (`shape.len()` bytes, all
    /// of the first channel's rows, then the second's) and the class, below `classes`. Pixels are normalised by the mean and
    /// standard deviation of the training samples.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] for a sample of another size or class, or where there are none.
    pub fn of_samples(
        name: &str,
        shape: ImageShape,
        classes: usize,
        train: impl IntoIterator<Item = (Vec<u8>, u32)>,
        test: impl IntoIterator<Item = (Vec<u8>, u32)>,
    ) -> Result<Self, TrainError> {
        let train = InMemory::new(name, shape, classes, train)?;
        let test = InMemory::new(name, shape, classes, test)?;
        Ok(Self::of(Split::new(train, test)))
    }

    /// Samples in a batch (64 by default).
    #[must_use]
    pub fn batch_size(mut self, samples: usize) -> Self {
        self.settings.batch_size = samples;
        self
    }

    /// What is done to training images: `none`, `auto`, or a list such as `crop:4,flip`.
    #[must_use]
    pub fn augment(mut self, augment: &str) -> Self {
        augment.clone_into(&mut self.settings.augment);
        self
    }

    /// Takes the samples in the set's own order, the same every epoch.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.settings.shuffle = false;
        self
    }

    /// Leaves out an epoch's last batch where it is smaller than the others.
    #[must_use]
    pub fn drop_last(mut self) -> Self {
        self.settings.drop_last = true;
        self
    }

    /// Uses so many training samples only.
    #[must_use]
    pub fn limit(mut self, samples: usize) -> Self {
        self.settings.limit = Some(samples);
        self
    }

    /// Uses so many test samples only.
    #[must_use]
    pub fn test_limit(mut self, samples: usize) -> Self {
        self.settings.test_limit = Some(samples);
        self
    }

    /// Threads that load batches ahead of their use (1 by default; 0: the first worker loads them itself).
    #[must_use]
    pub fn loader_threads(mut self, threads: usize) -> Self {
        self.settings.threads = threads;
        self
    }

    /// What a network must take and tell apart: shape of the images, number of classes.
    pub fn input(&self) -> ModelInput {
        let ImageShape {
            channels,
            height,
            width,
        } = self.split.train.shape();
        ModelInput {
            channels,
            height,
            width,
            classes: self.split.train.classes(),
        }
    }

    /// The two parts.
    pub fn split(&self) -> &Split {
        &self.split
    }

    pub(crate) fn settings(&self) -> &DataSettings {
        &self.settings
    }
}

/// The loaders of a run.
pub(crate) struct Loaders {
    /// Of what is trained on.
    pub(crate) train: Loader,
    /// Of what accuracy is measured on.
    pub(crate) test: Loader,
}

impl Loaders {
    pub(crate) fn new(split: &Split, settings: &DataSettings, seed: u64) -> Result<Self, DataError> {
        let options = LoaderOptions {
            batch_size: settings.batch_size,
            shuffle: settings.shuffle,
            augment: settings.augment.parse()?,
            seed,
            threads: settings.threads,
            prefetch: settings.prefetch,
            drop_last: settings.drop_last,
            limit: settings.limit,
        };
        Ok(Self {
            train: Loader::new(Arc::clone(&split.train), options)?,
            test: in_order(Arc::clone(&split.test), settings, settings.test_limit)?,
        })
    }

    /// Batches of an epoch.
    pub(crate) fn batches(&self) -> Result<u32, TrainError> {
        let batches = self.train.batches_per_epoch();
        u32::try_from(batches).map_err(|_| TrainError::Fit(format!("an epoch of {batches} batches is too long")))
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
}

/// A loader for looking: all samples, or the first `limit`, as they are and in the set's own order.
pub(crate) fn in_order(
    set: Arc<dyn Dataset>,
    settings: &DataSettings,
    limit: Option<usize>,
) -> Result<Loader, DataError> {
    let options = LoaderOptions {
        batch_size: TEST_BATCH,
        shuffle: false,
        augment: Augment::none(),
        seed: 0,
        threads: settings.threads,
        prefetch: settings.prefetch,
        drop_last: false,
        limit,
    };
    Loader::new(set, options)
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
