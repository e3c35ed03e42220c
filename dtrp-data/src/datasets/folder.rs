//! `image-folder`: image files, one folder per class: `train/CLASS/*.jpg` and `test/CLASS/*.jpg`
//! (or `val/`), at any depth below the class's folder.
//!
//! Classes are the folders of `train/`, sorted by name. The samples come in turns, the first image
//! by path of each class, then the second of each, so that the first N samples have all classes.
//! Images are decoded when they are asked for, in the loader's threads, and nothing of them is
//! kept. Without augmentation the middle of an image is brought to the set's shape; see
//! [`Region::center`] and [`Pixels::resize_and_crop`]. What is left out is counted by reason.

mod annotations;
mod remarks;
mod scan;
mod walk;

use crate::check::{Checked, Part};
use crate::dataset::{Dataset, Normalization, Split, check_get};
use crate::files::{self, Fault};
use crate::image_file;
use crate::picture::Picture;
use crate::resample::{Pixels, Region};
use crate::shape::ImageShape;
use crate::{DataError, DataSpec, DatasetInfo};
use dtrp_text::{OptionSpec, Options};
use remarks::Counts;
use scan::{Images, Listing, scan};
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;

const NAME: &str = "image-folder";

inventory::submit!(
    DatasetInfo::new(
        NAME,
        "your own images, a folder for each class, brought to one size",
        &[
            OptionSpec::shape(
                "shape",
                Some([3, 224, 224]),
                "what the images are brought to; one channel makes them grey",
            ),
            OptionSpec::optional_count(
                "resize",
                1..=MOST,
                "what the smaller side is scaled to before the middle is cut out, 256 is usual for 224; without it the \
                 largest middle part with the shape's ratio of width to height is scaled",
            ),
        ],
        open,
    )
    .from_files("train/CLASS/*.jpg and test/CLASS/*.jpg (or val/, valid/), JPEG, PNG, BMP, PPM, PGM, TIFF or WebP")
    .licence("that of the images", None)
    .checked(check)
);

/// Pixels of the largest side.
const MOST: u64 = 1 << 16;

fn open(spec: &DataSpec, options: &Options<'_>) -> Result<Split, DataError> {
    let shape = ImageShape::from(options.shape("shape"));
    let resize = options.optional_count("resize").map(|resize| resize as usize);
    let sides = 1..=1 << 16;
    if !matches!(shape.channels, 1 | 3) || !sides.contains(&shape.height) || !sides.contains(&shape.width) {
        let expected = "[channels, height, width] with 1 channel (grey) or 3 (colour), and sides from 1 to 65536";
        return Err(options.invalid("shape", expected).into());
    }
    let largest = shape.height.max(shape.width);
    if resize.is_some_and(|resize| resize < largest) {
        let expected = format!("from {largest}, the larger side of `shape`, to {MOST}");
        return Err(options.invalid("resize", expected).into());
    }
    let (mut listing, mut errors) = scan(spec);
    errors.append(&mut listing.problems);
    if !errors.is_empty() {
        return Err(errors.swap_remove(0));
    }
    let Listing {
        classes, train, test, ..
    } = listing;
    let classes = Arc::new(classes);
    let part = |Images { files, notes }| {
        Arc::new(Folder {
            files,
            notes,
            classes: Arc::clone(&classes),
            shape,
            resize,
        })
    };
    Ok(Split {
        train: part(train),
        test: part(test),
    })
}

/// Counts the images, and hands over both parts; images are decoded when the parts are looked at.
fn check(spec: &DataSpec) -> Checked {
    let (listing, mut errors) = scan(spec);
    errors.extend(listing.problems);
    let files = listing.train.files.len() + listing.test.files.len();
    let part = |name, Images { files, notes }: Images| {
        let counts = Arc::new(Counts::default());
        let told = Arc::clone(&counts);
        Part {
            name,
            classes: listing.classes.clone(),
            samples: files.len(),
            look: Box::new(move |index, levels| {
                let (path, label) = &files[index];
                let file = files::read(path)?;
                // A decoder that panics has found something wrong too.
                let decoded = catch_unwind(|| image_file::decode(&file, 3)).unwrap_or_else(|_| {
                    let problem = "the decoder gave up on this file: replace it";
                    Err(Fault::new(0, problem))
                });
                let decoded = decoded.map_err(|fault| fault.at(path))?;
                counts.add(decoded.remarks);
                levels.add_interleaved(&decoded.bytes, 3);
                Ok(*label)
            }),
            notes: Box::new(move || [notes.clone(), told.notes(name)].concat()),
        }
    };
    Checked {
        files,
        errors,
        parts: vec![part("train", listing.train), part("test", listing.test)],
    }
}

/// One part.
struct Folder {
    /// Each with its class.
    files: Vec<(PathBuf, u32)>,
    notes: Vec<String>,
    classes: Arc<Vec<String>>,
    shape: ImageShape,
    resize: Option<usize>,
}

impl Dataset for Folder {
    fn name(&self) -> &str {
        NAME
    }

    fn len(&self) -> usize {
        self.files.len()
    }

    fn shape(&self) -> ImageShape {
        self.shape
    }

    fn classes(&self) -> usize {
        self.classes.len()
    }

    fn class_names(&self) -> Vec<String> {
        self.classes.to_vec()
    }

    /// ImageNet's, as torchvision gives it; for grey images the mean of its channels.
    fn normalization(&self) -> Normalization {
        match self.shape.channels {
            1 => Normalization::new(&[0.449], &[0.226]),
            _ => Normalization::new(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
        }
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        self.with(index, image, |pixels, image| self.middle(&pixels, image))
    }

    fn fit(&self, picture: &Picture, image: &mut [u8]) -> bool {
        self.middle(&picture.pixels(), image);
        true
    }

    fn get_region(
        &self,
        index: usize,
        choose: &mut dyn FnMut(usize, usize) -> Region,
        image: &mut [u8],
    ) -> Result<u32, DataError> {
        self.with(index, image, |pixels, image| {
            pixels.resample(choose(pixels.height, pixels.width), self.shape, image);
        })
    }
}

impl Folder {
    /// What an image is without augmentation.
    fn middle(&self, pixels: &Pixels, image: &mut [u8]) {
        match self.resize {
            Some(resize) => pixels.resize_and_crop(resize, self.shape, image),
            None => pixels.resample(
                Region::center(pixels.height, pixels.width, self.shape),
                self.shape,
                image,
            ),
        }
    }

    /// Reads an image and has `make` bring it to the set's shape.
    fn with(&self, index: usize, image: &mut [u8], make: impl FnOnce(Pixels, &mut [u8])) -> Result<u32, DataError> {
        check_get(self, index, image)?;
        let (path, label) = &self.files[index];
        let channels = self.shape.channels;
        let file = files::read(path).map_err(|error| {
            if files::may_wait(path) {
                DataError::Waits(path.clone())
            } else {
                error
            }
        })?;
        let decoded = image_file::decode(&file, channels).map_err(|fault| fault.at(path))?;
        make(
            Pixels::interleaved(&decoded.bytes, decoded.height, decoded.width, channels),
            image,
        );
        Ok(*label)
    }
}
