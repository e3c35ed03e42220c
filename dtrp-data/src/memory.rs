//! Data sets in memory, from whatever gives images and labels.

use crate::DataError;
use crate::check::Levels;
use crate::dataset::{Dataset, Normalization, check_get};
use crate::shape::ImageShape;

/// A part of a data set that is held in memory: images and labels from an iterator, no file format.
///
/// Normalisation is measured from the pixels: mean and standard deviation of each channel.
///
/// ```
/// use dtrp_data::{Dataset, ImageShape, InMemory, Split};
///
/// // Dark images and bright ones, a byte for each pixel.
/// let samples = |count: u32| (0..count).map(|i| (vec![if i % 2 == 0 { 10 } else { 240 }; 3 * 4 * 4], i % 2));
/// let shape = ImageShape::new(3, 4, 4);
/// let split = Split::new(
///     InMemory::new("light", shape, 2, samples(100))?,
///     InMemory::new("light", shape, 2, samples(20))?,
/// );
/// assert_eq!((split.train.len(), split.test.len()), (100, 20));
/// # Ok::<(), dtrp_data::DataError>(())
/// ```
#[derive(Clone)]
pub struct InMemory {
    name: String,
    shape: ImageShape,
    classes: usize,
    /// One image after the other.
    pixels: Vec<u8>,
    labels: Vec<u32>,
    normalization: Normalization,
}

impl InMemory {
    /// Takes in all samples. An image is bytes, channel-major: all of the first channel's rows, then the second's. Labels are
    /// below `classes`.
    ///
    /// # Errors
    ///
    /// [`DataError::Sample`] for an image of another size than `shape` has and for a label that is no class, with the number
    /// of the sample; [`DataError::Set`] where there are no samples, and for a shape without pixels.
    pub fn new(
        name: impl Into<String>,
        shape: ImageShape,
        classes: usize,
        samples: impl IntoIterator<Item = (Vec<u8>, u32)>,
    ) -> Result<Self, DataError> {
        let mut set = Self {
            name: name.into(),
            shape,
            classes,
            pixels: Vec::new(),
            labels: Vec::new(),
            normalization: Normalization::new(&[], &[]),
        };
        let bytes = shape.checked_len().filter(|bytes| *bytes > 0);
        let Some(bytes) = bytes else {
            return Err(set.wrong(format!(
                "cannot have images of {shape}: they have no pixels, or too many"
            )));
        };
        let mut levels = Levels::default();
        for (image, label) in samples {
            set.check(bytes, &image, label)?;
            levels.add_planar(&image, shape.channels);
            set.pixels.extend_from_slice(&image);
            set.labels.push(label);
        }
        if set.labels.is_empty() {
            return Err(set.wrong("has no samples".to_owned()));
        }
        let (mean, std) = levels.moments();
        // A channel that is the same everywhere has nothing to scale.
        let scale = |std: f64| if std > 0.0 { std as f32 } else { 1.0 };
        set.normalization = Normalization {
            mean: mean.into_iter().map(|mean| mean as f32).collect(),
            std: std.into_iter().map(scale).collect(),
        };
        Ok(set)
    }

    /// Whether the next sample fits in.
    fn check(&self, bytes: usize, image: &[u8], label: u32) -> Result<(), DataError> {
        let problem = if image.len() != bytes {
            let got = image.len();
            format!("has {got} bytes, but an image of {} has {bytes}", self.shape)
        } else if label as usize >= self.classes {
            let classes = self.classes;
            format!("has label {label}, but there are {classes} classes: labels count from 0 and are below that")
        } else {
            return Ok(());
        };
        Err(DataError::Sample {
            dataset: self.name.clone(),
            index: self.labels.len(),
            problem,
        })
    }

    fn wrong(&self, problem: String) -> DataError {
        DataError::Set {
            dataset: self.name.clone(),
            problem,
        }
    }
}

impl std::fmt::Debug for InMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, shape, .. } = self;
        write!(f, "InMemory({name}: {} of {shape})", self.labels.len())
    }
}

impl Dataset for InMemory {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn shape(&self) -> ImageShape {
        self.shape
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn normalization(&self) -> Normalization {
        self.normalization.clone()
    }

    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        check_get(self, index, image)?;
        image.copy_from_slice(&self.pixels[index * image.len()..][..image.len()]);
        Ok(self.labels[index])
    }
}
