//! What a data set is.

use crate::DataError;
use crate::picture::Picture;
use crate::resample::{Pixels, Region};
use crate::shape::ImageShape;
use std::sync::Arc;

/// Mean and standard deviation of each channel over the training part, with pixels in 0..1.
///
/// A network is fed `(pixel / 255 − mean) / std`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// One mean per channel.
    pub mean: Vec<f32>,
    /// One standard deviation per channel, none of them 0.
    pub std: Vec<f32>,
}

impl Normalization {
    /// From one (mean, standard deviation) per channel.
    pub fn new(mean: &[f32], std: &[f32]) -> Self {
        Self {
            mean: mean.to_vec(),
            std: std.to_vec(),
        }
    }
}

/// Labelled images of one shape, as stored: bytes, channel-major (all of the first channel's rows,
/// then the second's).
///
/// Samples count from 0. A set does not change while it is in use, and any number of threads may
/// read it at once.
pub trait Dataset: Send + Sync {
    /// The registered name, such as `cifar10`.
    fn name(&self) -> &str;

    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of every image.
    fn shape(&self) -> ImageShape;

    /// Number of classes: labels are below it.
    fn classes(&self) -> usize;

    /// A name for each class; their numbers unless the set knows better.
    fn class_names(&self) -> Vec<String> {
        (0..self.classes()).map(|class| class.to_string()).collect()
    }

    /// What to normalise the pixels with.
    fn normalization(&self) -> Normalization;

    /// What is worth a warning though the set can be used: files that were left out, by reason.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Copies image `index` into `image`, which has [`ImageShape::len`] bytes, and returns its
    /// label.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] or [`DataError::Buffer`] for a wrong argument; for sets that read or
    /// decode on demand, whatever is wrong with the file.
    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError>;

    /// Like [`get`](Self::get), for a region of the image brought to the set's shape. `choose` is
    /// told the height and width of what there is and returns the region.
    ///
    /// By default there is what `get` returns. A set whose images are larger as stored overrides
    /// this, so that the region has all its detail.
    ///
    /// # Errors
    ///
    /// As `get`.
    fn get_region(
        &self,
        index: usize,
        choose: &mut dyn FnMut(usize, usize) -> Region,
        image: &mut [u8],
    ) -> Result<u32, DataError> {
        let label = self.get(index, image)?;
        let (shape, whole) = (self.shape(), image.to_vec());
        Pixels::planar(&whole, shape).resample(choose(shape.height, shape.width), shape, image);
        Ok(label)
    }

    /// The pixels of a picture as an image of the set: what the set makes of its own files, for a set of files of any size;
    /// otherwise it must have the size of the set's images.
    ///
    /// # Errors
    ///
    /// [`DataError::Picture`] for another size, with both.
    fn image_of(&self, picture: &Picture) -> Result<Vec<u8>, DataError> {
        let mut image = vec![0; self.shape().len()];
        if self.fit(picture, &mut image) {
            Ok(image)
        } else {
            Err(picture.misfit(self.name(), self.shape()))
        }
    }

    /// Makes of a picture of any size what [`get`](Self::get) would give if it were one of the set's, and says whether the set
    /// can: one whose images have all the same size as stored takes no other.
    fn fit(&self, picture: &Picture, image: &mut [u8]) -> bool {
        picture.copy(self.shape(), image)
    }
}

/// A data set's two parts.
#[derive(Clone)]
pub struct Split {
    /// To train on.
    pub train: Arc<dyn Dataset>,
    /// To measure accuracy on.
    pub test: Arc<dyn Dataset>,
}

impl Split {
    /// Both parts. Their images have one shape and the same classes.
    pub fn new(train: impl Dataset + 'static, test: impl Dataset + 'static) -> Self {
        Self {
            train: Arc::new(train),
            test: Arc::new(test),
        }
    }
}

impl std::fmt::Debug for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, train, test) = (self.train.name(), self.train.len(), self.test.len());
        write!(f, "Split({name}: {train} + {test})")
    }
}

/// The check of arguments that every `get` starts with.
pub(crate) fn check_get(set: &dyn Dataset, index: usize, image: &[u8]) -> Result<(), DataError> {
    if index >= set.len() {
        return Err(DataError::Index {
            dataset: set.name().to_string(),
            index,
            len: set.len(),
        });
    }
    if image.len() != set.shape().len() {
        return Err(DataError::Buffer {
            dataset: set.name().to_string(),
            want: set.shape().len(),
            got: image.len(),
        });
    }
    Ok(())
}
