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
pub mod random;
mod registry;
mod resample;

pub use augment::Augment;
pub use check::{PartReport, Problem, Report, check};
pub use dataset::{Dataset, ImageShape, Normalization, Split};
pub use detect::detect;
pub use error::DataError;
pub use loader::{Batch, Epoch, Loader, LoaderOptions};
pub use registry::{DataSpec, DatasetInfo, find, names, open};
pub use resample::Region;
