//! `image-folder`: JPEG and PNG files, one folder per class: `train/CLASS/*.jpg` and
//! `test/CLASS/*.jpg` (or `val/`).
//!
//! Classes are the folders of `train/`, sorted by name. The samples come in turns, the first image
//! by name of each class, then the second of each, so that the first N samples have all classes.
//! Images are decoded when they are asked for, in the loader's threads, and nothing of them is
//! kept. Without augmentation the middle of an image is brought to the set's shape; see
//! [`Region::center`]. Files of other kinds and hidden ones are left alone.

mod scan;

use crate::check::{Checked, Part};
use crate::dataset::{Dataset, ImageShape, Normalization, Split, check_get};
use crate::files::{self, Fault};
use crate::image_file;
use crate::resample::{Pixels, Region};
use crate::{DataError, DataSpec, DatasetInfo};
use dtrp_text::{OptionSpec, Options};
use scan::{Listing, scan};
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
                "pixels of the smaller side before the middle is cut out, 256 is usual for 224; without it as much of \
                 the image is used as has the shape's ratio of width to height",
            ),
        ],
        open,
    )
    .from_files("train/CLASS/*.jpg and test/CLASS/*.jpg (or val/, valid/), JPEG or PNG")
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
    let (listing, mut errors) = scan(spec);
    if !errors.is_empty() {
        return Err(errors.swap_remove(0));
    }
    let Listing { classes, train, test } = listing;
    let classes = Arc::new(classes);
    let part = |files| {
        Arc::new(Folder {
            files,
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
    let (listing, errors) = scan(spec);
    let files = listing.train.len() + listing.test.len();
    let part = |name, files: Vec<(PathBuf, u32)>| Part {
        name,
        classes: listing.classes.clone(),
        samples: files.len(),
        look: Box::new(move |index, levels| {
            let (path, label) = &files[index];
            let file = std::fs::read(path).map_err(files::io(path, "read the file"))?;
            // A decoder that panics has found something wrong too.
            let decoded = catch_unwind(|| image_file::decode(&file, 3)).unwrap_or_else(|_| {
                let problem = "the decoder gave up on this file: replace it";
                Err(Fault::new(0, problem))
            });
            let decoded = decoded.map_err(|fault| fault.at(path))?;
            levels.add_interleaved(&decoded.bytes, 3);
            Ok(*label)
        }),
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

    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        let (shape, resize) = (self.shape, self.resize);
        self.get_region(
            index,
            &mut |height, width| Region::center(height, width, shape, resize),
            image,
        )
    }

    fn get_region(
        &self,
        index: usize,
        choose: &mut dyn FnMut(usize, usize) -> Region,
        image: &mut [u8],
    ) -> Result<u32, DataError> {
        check_get(self, index, image)?;
        let (path, label) = &self.files[index];
        let file = std::fs::read(path).map_err(files::io(path, "read the file"))?;
        let channels = self.shape.channels;
        let decoded = image_file::decode(&file, channels).map_err(|fault| fault.at(path))?;
        let (height, width) = (decoded.height, decoded.width);
        let pixels = Pixels::interleaved(&decoded.bytes, height, width, channels);
        pixels.resample(choose(height, width), self.shape, image);
        Ok(*label)
    }
}
