//! An image file of one's own, brought to what a data set's images are.

use crate::DataError;
use crate::files::{self, Fault};
use crate::image_file;
use crate::resample::{Pixels, Region};
use crate::shape::ImageShape;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// A decoded image file, grey or in colours, in the size that it has. It is read as the images of `image-folder` are: JPEG,
/// PNG, BMP, PPM, PGM, TIFF or WebP, whatever its name; without its orientation in EXIF data, without alpha.
pub struct Picture {
    /// As messages name it.
    origin: PathBuf,
    /// Pixel-major.
    bytes: Vec<u8>,
    /// Of the file, in the channels asked for.
    shape: ImageShape,
}

impl Picture {
    /// Reads a file for images with so many channels: 1 (grey; colours become so as with Pillow's `convert("L")`) or 3.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] where it cannot be read, [`DataError::Corrupt`] where it cannot be decoded, [`DataError::Picture`]
    /// for another number of channels, which no image file has.
    pub fn read(path: &Path, channels: usize) -> Result<Self, DataError> {
        Self::decode(&files::read(path)?, path, channels)
    }

    /// As [`read`](Self::read), from the bytes of a file; messages name it as `origin`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn decode(file: &[u8], origin: &Path, channels: usize) -> Result<Self, DataError> {
        if !matches!(channels, 1 | 3) {
            return Err(DataError::Picture {
                path: origin.to_owned(),
                problem: format!(
                    "cannot be used: the network takes images of {channels} channels, and files have 1 or 3"
                ),
            });
        }
        // A decoder that panics has found something wrong too.
        let decoded = catch_unwind(|| image_file::decode(file, channels))
            .unwrap_or_else(|_| Err(Fault::new(0, "the decoder gave up on this file: replace it")));
        let decoded = decoded.map_err(|fault| fault.at(origin))?;
        Ok(Self {
            origin: origin.to_owned(),
            bytes: decoded.bytes,
            shape: ImageShape::new(channels, decoded.height, decoded.width),
        })
    }

    /// Its channels, and its height and width in pixels.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The error that says why the set `name` with images of `shape` cannot take it: it has another size.
    pub(crate) fn misfit(&self, name: &str, shape: ImageShape) -> DataError {
        let (height, width) = (self.shape.height, self.shape.width);
        DataError::Picture {
            path: self.origin.clone(),
            problem: format!(
                "is {width} pixels wide and {height} high, and the images of `{name}` are {} wide and {} high: bring it to that \
                 size, cut to the thing that it shows",
                shape.width, shape.height
            ),
        }
    }

    /// The largest middle part that has the ratio of `shape` of height to width, scaled to it.
    pub fn scaled(&self, shape: ImageShape) -> Vec<u8> {
        let mut image = vec![0; shape.len()];
        let region = Region::center(self.shape.height, self.shape.width, shape);
        self.pixels().resample(region, shape, &mut image);
        image
    }

    /// As it is, channel-major, where it has the size of the image; says whether it has.
    pub(crate) fn copy(&self, shape: ImageShape, image: &mut [u8]) -> bool {
        let same = self.shape == shape;
        if same {
            self.pixels()
                .resample(Region::whole(shape.height, shape.width), shape, image);
        }
        same
    }

    pub(crate) fn pixels(&self) -> Pixels<'_> {
        Pixels::interleaved(&self.bytes, self.shape.height, self.shape.width, self.shape.channels)
    }
}
