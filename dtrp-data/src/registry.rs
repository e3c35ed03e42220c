//! Data sets by name.

use crate::check::Checked;
use crate::datasets::{cifar, digits, folder, idx, synthetic};
use crate::error::nearest;
use crate::{DataError, ImageShape, Split};
use std::path::PathBuf;

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
    /// `image-folder`: what the smaller side is scaled to before the middle is cut out, 256 is usual
    /// for 224. By default the largest middle part with the shape's ratio of width to height is scaled.
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
    /// The shape of its images; nothing if that is up to the files or the options.
    pub shape: Option<ImageShape>,
    /// Number of classes; nothing if that is up to the files or the options.
    pub classes: Option<usize>,
    /// Samples to train on and to test on, as published.
    pub samples: Option<[usize; 2]>,
    /// The files that it is read from, for people.
    pub files: &'static str,
    /// On which terms it may be used, as far as its authors say.
    pub licence: &'static str,
    /// Where its authors describe it.
    pub page: Option<&'static str>,
    open: fn(&DataSpec) -> Result<Split, DataError>,
    /// Looks at the files.
    pub(crate) check: fn(&DataSpec) -> Checked,
}

const IDX_FILES: &str = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, \
                         t10k-labels-idx1-ubyte, each plain or .gz";
const CIFAR_LICENCE: &str =
    "none stated; cite A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009";
const CIFAR_PAGE: Option<&str> = Some("https://www.cs.toronto.edu/~kriz/cifar.html");

const SETS: &[DatasetInfo] = &[
    DatasetInfo {
        name: "digits",
        description: "small handwritten digits; ships with dtrp",
        needs_dir: false,
        options: &[],
        shape: Some(ImageShape::new(1, 8, 8)),
        classes: Some(10),
        samples: Some([1_438, 359]),
        files: "none",
        licence: "CC BY 4.0; E. Alpaydin and C. Kaynak, UCI Machine Learning Repository",
        page: Some("https://doi.org/10.24432/C50P49"),
        open: digits::open,
        check: |_| Checked::default(),
    },
    DatasetInfo {
        name: "cifar10",
        description: "photographs of animals and vehicles; binary version",
        needs_dir: true,
        options: &[],
        shape: Some(ImageShape::new(3, 32, 32)),
        classes: Some(10),
        samples: Some([50_000, 10_000]),
        files: "data_batch_1.bin to data_batch_5.bin, test_batch.bin; batches.meta.txt if there",
        licence: CIFAR_LICENCE,
        page: CIFAR_PAGE,
        open: |spec| cifar::open(&cifar::CIFAR10, spec),
        check: |spec| cifar::CIFAR10.check(spec),
    },
    DatasetInfo {
        name: "cifar100",
        description: "photographs of a hundred things; binary version",
        needs_dir: true,
        options: &[],
        shape: Some(ImageShape::new(3, 32, 32)),
        classes: Some(100),
        samples: Some([50_000, 10_000]),
        files: "train.bin, test.bin; fine_label_names.txt if there",
        licence: CIFAR_LICENCE,
        page: CIFAR_PAGE,
        open: |spec| cifar::open(&cifar::CIFAR100, spec),
        check: |spec| cifar::CIFAR100.check(spec),
    },
    DatasetInfo {
        name: "mnist",
        description: "handwritten digits; IDX, plain or .gz",
        needs_dir: true,
        options: &[],
        shape: Some(ImageShape::new(1, 28, 28)),
        classes: Some(10),
        samples: Some([60_000, 10_000]),
        files: IDX_FILES,
        licence: "none stated; cite Y. LeCun, C. Cortes and C. Burges, The MNIST database",
        page: Some("http://yann.lecun.com/exdb/mnist"),
        open: |spec| idx::open(&idx::MNIST, spec),
        check: |spec| idx::check(&idx::MNIST, spec),
    },
    DatasetInfo {
        name: "fashion-mnist",
        description: "pictures of clothes; IDX, plain or .gz",
        needs_dir: true,
        options: &[],
        shape: Some(ImageShape::new(1, 28, 28)),
        classes: Some(10),
        samples: Some([60_000, 10_000]),
        files: IDX_FILES,
        licence: "MIT; H. Xiao, K. Rasul and R. Vollgraf, Zalando Research",
        page: Some("https://github.com/zalandoresearch/fashion-mnist"),
        open: |spec| idx::open(&idx::FASHION_MNIST, spec),
        check: |spec| idx::check(&idx::FASHION_MNIST, spec),
    },
    DatasetInfo {
        name: "image-folder",
        description: "your own images, a folder for each class, brought to one size",
        needs_dir: true,
        options: &["shape", "resize"],
        shape: None,
        classes: None,
        samples: None,
        files: "train/CLASS/*.jpg and test/CLASS/*.jpg (or val/, valid/), JPEG, PNG, BMP, PPM, PGM, TIFF or WebP",
        licence: "that of the images",
        page: None,
        open: folder::open,
        check: folder::check,
    },
    DatasetInfo {
        name: "synthetic",
        description: "made on the fly, of any shape and number; can be learnt",
        needs_dir: false,
        options: &["shape", "classes", "train_samples", "test_samples", "seed"],
        shape: None,
        classes: None,
        samples: None,
        files: "none",
        licence: "nothing to license: made by dtrp",
        page: None,
        open: synthetic::open,
        check: |_| Checked::default(),
    },
];

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

/// What there is to know about a set.
///
/// # Errors
///
/// [`DataError::UnknownDataset`] for a name that is not registered.
pub fn find(name: &str) -> Result<&'static DatasetInfo, DataError> {
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
                        some => format!("is not for this set; remove it (the set takes {})", some.join(", ")),
                    },
                });
            }
        }
        Ok(())
    }
}
