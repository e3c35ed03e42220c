//! Image data sets, augmentation and a prefetching loader for dtrp.
//!
//! Plain buffers in, plain buffers out: this crate knows no tensors. A [`Dataset`] gives bytes and
//! labels by index, an [`Augment`] changes them at random, a [`Loader`] makes batches of them ahead
//! of time, in an order and with changes that depend on the seed alone.
//!
//! ```
//! use dtrp_data::{DataSpec, Loader, LoaderOptions};
//!
//! let digits = dtrp_data::open(&DataSpec::new("digits"))?;
//! let options = LoaderOptions { batch_size: 32, ..LoaderOptions::default() };
//! let loader = Loader::new(digits.train, options)?;
//! for batch in loader.epoch(0, 0) {
//!     let batch = batch?;
//!     assert_eq!(batch.images.len(), batch.len() * batch.shape.len());
//! }
//! # Ok::<(), dtrp_data::DataError>(())
//! ```

pub mod augment;
mod check;
mod dataset;
mod datasets;
mod detect;
mod error;
#[cfg(feature = "fetch")]
pub mod fetch;
mod files;
mod image_file;
pub mod loader;
mod memory;
mod picture;
pub mod random;
mod registry;
mod resample;
mod shape;

pub use augment::Augment;
pub use check::{DataProblem, DataReport, PartReport};
pub use dataset::{Dataset, Normalization, Split};
pub use detect::detect;
pub use dtrp_text::{OptionError, OptionSpec, OptionValues, Options, UnknownName};
pub use error::DataError;
pub use loader::{Batch, Epoch, Loader, LoaderOptions};
pub use memory::InMemory;
pub use picture::Picture;
pub use registry::{DataSpec, DatasetInfo, OpenDataset, check, defaults, find, list, open};
pub use resample::Region;
pub use shape::ImageShape;

#[doc(hidden)]
pub use inventory;
