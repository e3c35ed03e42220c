//! Data sets by name.

use std::path::PathBuf;

use crate::datasets::{cifar, digits, folder, idx, synthetic};
use crate::error::nearest;
use crate::{DataError, ImageShape, Split};

/// What to open: the part of a run's `data` section that is about the set itself.
///
/// Options that a set does not know must stay unset; [`open`] says so otherwise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataSpec {
    /// The registered name, see [`names`].
    pub name: String,
    /// Where the files are; for sets that are made of files.
    pub dir: Option<PathBuf>,
    /// The images' shape. `synthetic`: any, by default 3×32×32. `image-folder`: what they are
    /// brought to, by default 3×224×224; one channel makes them grey.
    pub shape: Option<ImageShape>,
    /// `image-folder`: pixels of the smaller side before the middle is cut out, 256 is usual for
    /// 224. By default as much of the image is used as has the shape's ratio of width to height.
    pub resize: Option<usize>,
    /// `synthetic`: number of classes, by default 10.
    pub classes: Option<usize>,
    /// `synthetic`: samples to train on, by default 10,000.
    pub train_samples: Option<usize>,
    /// `synthetic`: samples to test on, by default 1,000.
    pub test_samples: Option<usize>,
    /// `synthetic`: another seed is another set. (What shuffles the samples is the loader's seed.)
    pub seed: u64,
}

impl DataSpec {
    /// The set `name` with nothing else set.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The set `name` from the files in `dir`.
    pub fn in_dir(name: impl Into<String>, dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: Some(dir.into()),
            ..Self::new(name)
        }
    }
}

/// A line of [`names`].
#[derive(Debug, Clone, Copy)]
pub struct DatasetInfo {
    /// What [`DataSpec::name`] takes.
    pub name: &'static str,
    /// What it is, in a line.
    pub description: &'static str,
    /// Whether it is read from [`DataSpec::dir`].
    pub needs_dir: bool,
    /// The other options that it takes, by field name.
    pub options: &'static [&'static str],
    open: fn(&DataSpec) -> Result<Split, DataError>,
    /// Number of files, and everything wrong with them, found on so many threads.
    pub(crate) check: fn(&DataSpec, usize) -> (usize, Vec<DataError>),
}

const SETS: &[DatasetInfo] = &[
    DatasetInfo {
        name: "digits",
        description: "1,797 handwritten digits, 1x8x8, 10 classes, 1,438 to train on; ships with dtrp",
        needs_dir: false,
        options: &[],
        open: digits::open,
        check: nothing_to_check,
    },
    DatasetInfo {
        name: "cifar10",
        description: "60,000 photographs, 3x32x32, 10 classes, 50,000 to train on; binary version",
        needs_dir: true,
        options: &[],
        open: |spec| cifar::open(&cifar::CIFAR10, spec),
        check: |spec, _| cifar::CIFAR10.check(spec),
    },
    DatasetInfo {
        name: "cifar100",
        description: "60,000 photographs, 3x32x32, 100 classes, 50,000 to train on; binary version",
        needs_dir: true,
        options: &[],
        open: |spec| cifar::open(&cifar::CIFAR100, spec),
        check: |spec, _| cifar::CIFAR100.check(spec),
    },
    DatasetInfo {
        name: "mnist",
        description: "70,000 handwritten digits, 1x28x28, 10 classes, 60,000 to train on; IDX, plain or .gz",
        needs_dir: true,
        options: &[],
        open: |spec| idx::open(&idx::MNIST, spec),
        check: |spec, _| idx::check(&idx::MNIST, spec),
    },
    DatasetInfo {
        name: "fashion-mnist",
        description: "70,000 pictures of clothes, 1x28x28, 10 classes, 60,000 to train on; IDX, plain or .gz",
        needs_dir: true,
        options: &[],
        open: |spec| idx::open(&idx::FASHION_MNIST, spec),
        check: |spec, _| idx::check(&idx::FASHION_MNIST, spec),
    },
    DatasetInfo {
        name: "image-folder",
        description: "your own: train/CLASS/*.jpg and test/CLASS/*.jpg, JPEG or PNG, brought to one size",
        needs_dir: true,
        options: &["shape", "resize"],
        open: folder::open,
        check: folder::check,
    },
    DatasetInfo {
        name: "synthetic",
        description: "made on the fly: any shape, number of classes and of samples; can be learnt",
        needs_dir: false,
        options: &["shape", "classes", "train_samples", "test_samples", "seed"],
        open: synthetic::open,
        check: nothing_to_check,
    },
];

fn nothing_to_check(_: &DataSpec, _: usize) -> (usize, Vec<DataError>) {
    (0, Vec::new())
}

/// All data sets, for lists and messages.
pub fn names() -> &'static [DatasetInfo] {
    SETS
}

/// Opens a data set and checks all of it that can be checked without decoding every image.
///
/// # Errors
///
/// [`DataError::UnknownDataset`] for a name that is not registered, [`DataError::Option`] for an
/// option that does not fit, and whatever is wrong with the files, with file and byte offset.
pub fn open(spec: &DataSpec) -> Result<Split, DataError> {
    let set = find(&spec.name)?;
    set.check_options(spec)?;
    (set.open)(spec)
}

pub(crate) fn find(name: &str) -> Result<&'static DatasetInfo, DataError> {
    let names = || SETS.iter().map(|set| set.name);
    SETS.iter()
        .find(|set| set.name == name)
        .ok_or_else(|| DataError::UnknownDataset {
            name: name.to_string(),
            nearest: nearest(name, names()),
            valid: names().collect::<Vec<_>>().join(", "),
        })
}

impl DatasetInfo {
    pub(crate) fn check_options(&self, spec: &DataSpec) -> Result<(), DataError> {
        let given = [
            ("dir", spec.dir.is_some() && !self.needs_dir),
            ("shape", spec.shape.is_some()),
            ("resize", spec.resize.is_some()),
            ("classes", spec.classes.is_some()),
            ("train_samples", spec.train_samples.is_some()),
            ("test_samples", spec.test_samples.is_some()),
            ("seed", spec.seed != 0),
        ];
        for (option, given) in given {
            if given && !self.options.contains(&option) {
                return Err(DataError::Option {
                    dataset: self.name.to_string(),
                    option,
                    problem: match self.options {
                        [] => "is not for this set; remove it".to_string(),
                        some => format!(
                            "is not for this set; remove it (the set takes {})",
                            some.join(", ")
                        ),
                    },
                });
            }
        }
        Ok(())
    }
}
