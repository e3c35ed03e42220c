//! Data sets by name.

use crate::check::{self, Checked, DataReport, Part};
use crate::{DataError, ImageShape, Split};
use dtrp_text::{OptionSpec, OptionValues, Options};
use serde_json::Value;
use std::path::PathBuf;

/// What to open: which set, from which files, with which of its options.
///
/// ```
/// use dtrp_data::{DataSpec, ImageShape};
///
/// let spec = DataSpec::new("synthetic").shape(ImageShape::new(1, 8, 8)).option("classes", 2);
/// assert_eq!(dtrp_data::open(&spec)?.train.classes(), 2);
///
/// let wrong = dtrp_data::open(&DataSpec::new("synthetic").option("clases", 2)).unwrap_err();
/// assert!(wrong.to_string().contains("did you mean `classes`?"));
/// # Ok::<(), dtrp_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataSpec {
    /// The registered name, see [`list`].
    pub name: String,
    /// Where the files are; for sets that are made of files.
    pub dir: Option<PathBuf>,
    /// The set's own options by name, see [`DatasetInfo::options`]. What is null counts as not given; what the set does not
    /// know is refused by [`open`].
    pub options: OptionValues,
}

impl DataSpec {
    /// The set `name` with its default options.
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

    /// With one of the set's own options.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.insert(name.to_owned(), value.into());
        self
    }

    /// With images of this shape, for sets that have the option.
    #[must_use]
    pub fn shape(self, shape: ImageShape) -> Self {
        self.option("shape", shape)
    }
}

impl From<&str> for DataSpec {
    /// The set of this name with nothing else set.
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// What opens a set: from [`DataSpec::dir`], and from its options, which have been checked against the declared ones.
pub type OpenDataset = fn(&DataSpec, &Options<'_>) -> Result<Split, DataError>;

/// A data set that can be opened by name. Register one of your own with `inventory::submit!`, and it can be named like those
/// that are here:
///
/// ```
/// use dtrp_data::{DataError, DataSpec, DatasetInfo, ImageShape, InMemory, OptionSpec, Options, Split, inventory, open};
///
/// inventory::submit!(DatasetInfo::new(
///     "stripes",
///     "rows or columns",
///     &[OptionSpec::count("side", 8, 1..=64, "pixels of each side")],
///     stripes,
/// ));
///
/// fn stripes(_: &DataSpec, options: &Options<'_>) -> Result<Split, DataError> {
///     let side = options.count("side") as usize;
///     let part = |count: u32| {
///         let samples = (0..count).map(|i| {
///             let label = i % 2;
///             let at = |pixel: usize| if label == 0 { pixel / side } else { pixel % side };
///             ((0..side * side).map(|pixel| 255 * (at(pixel) % 2) as u8).collect(), label)
///         });
///         InMemory::new("stripes", ImageShape::new(1, side, side), 2, samples)
///     };
///     Ok(Split::new(part(100)?, part(10)?))
/// }
///
/// let set = open(&DataSpec::new("stripes").option("side", 4))?;
/// assert_eq!(set.train.shape(), ImageShape::new(1, 4, 4));
/// # Ok::<(), DataError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct DatasetInfo {
    /// What [`DataSpec::name`] takes.
    pub name: &'static str,
    /// What it is, in one line for people.
    pub summary: &'static str,
    /// The options that it takes beside [`DataSpec::dir`].
    pub options: &'static [OptionSpec],
    /// The shape of its images; nothing if that is up to the files or the options.
    pub shape: Option<ImageShape>,
    /// Number of classes; nothing if that is up to the files or the options.
    pub classes: Option<usize>,
    /// Samples to train on and to test on, as published.
    pub samples: Option<[usize; 2]>,
    /// The files that it is read from in [`DataSpec::dir`], for people; nothing if it needs none.
    pub files: Option<&'static str>,
    /// On which terms it may be used, as far as its authors say.
    pub licence: &'static str,
    /// Where its authors describe it.
    pub page: Option<&'static str>,
    open: OpenDataset,
    /// Looks at the files; without it opening them is all that is done.
    pub(crate) check: Option<fn(&DataSpec) -> Checked>,
}

inventory::collect!(DatasetInfo);

impl DatasetInfo {
    /// A set that `open` opens; made of no files, of any shape and number, on terms unknown.
    pub const fn new(
        name: &'static str,
        summary: &'static str,
        options: &'static [OptionSpec],
        open: OpenDataset,
    ) -> Self {
        Self {
            name,
            summary,
            options,
            shape: None,
            classes: None,
            samples: None,
            files: None,
            licence: "none stated",
            page: None,
            open,
            check: None,
        }
    }

    /// With images of one shape in so many classes; so many samples to train on and to test on.
    #[must_use]
    pub const fn images(mut self, shape: ImageShape, classes: usize, samples: [usize; 2]) -> Self {
        self.shape = Some(shape);
        self.classes = Some(classes);
        self.samples = Some(samples);
        self
    }

    /// Read from the files in [`DataSpec::dir`], which must be given: `files` says which, for people.
    #[must_use]
    pub const fn from_files(mut self, files: &'static str) -> Self {
        self.files = Some(files);
        self
    }

    /// On which terms it may be used, and where its authors describe it.
    #[must_use]
    pub const fn licence(mut self, licence: &'static str, page: Option<&'static str>) -> Self {
        self.licence = licence;
        self.page = page;
        self
    }

    /// With a look at the files that goes on after the first problem.
    pub(crate) const fn checked(mut self, check: fn(&DataSpec) -> Checked) -> Self {
        self.check = Some(check);
        self
    }

    /// Whether it is read from files in [`DataSpec::dir`].
    pub const fn needs_dir(&self) -> bool {
        self.files.is_some()
    }

    /// The options given, checked against those declared.
    pub(crate) fn read<'a>(&'a self, spec: &DataSpec) -> Result<Options<'a>, DataError> {
        if spec.dir.is_some() && !self.needs_dir() {
            return Err(DataError::NeedsNoDir(self.name.to_owned()));
        }
        Ok(Options::of(KIND, self.name, self.options, &spec.options)?)
    }
}

/// What is chosen by name here.
const KIND: &str = "data set";

/// Every data set, by name.
pub fn list() -> Vec<&'static DatasetInfo> {
    let mut sets: Vec<_> = inventory::iter::<DatasetInfo>.into_iter().collect();
    sets.sort_by_key(|set| set.name);
    sets
}

/// What there is to know about the set of this name.
///
/// # Errors
///
/// [`DataError::Unknown`] for a name that is not registered.
pub fn find(name: &str) -> Result<&'static DatasetInfo, DataError> {
    Ok(dtrp_text::find(KIND, name, list(), |set| set.name)?)
}

/// The options of the set `name` that hold where none is given, by name; those without a default are not in it.
///
/// # Errors
///
/// [`DataError::Unknown`] for a name that is not registered.
pub fn defaults(name: &str) -> Result<OptionValues, DataError> {
    Ok(dtrp_text::defaults(find(name)?.options))
}

/// Opens a data set and checks all of it that can be checked without decoding every image.
///
/// # Errors
///
/// [`DataError::Unknown`] for a name that is not registered, [`DataError::Option`] for an option that does not fit,
/// [`DataError::Dir`] for a folder that is missing or not asked for, and whatever is wrong with the files, with file and byte
/// offset.
pub fn open(spec: &DataSpec) -> Result<Split, DataError> {
    let set = find(&spec.name)?;
    let options = set.read(spec)?;
    (set.open)(spec, &options)
}

/// Looks at every byte of a set's files, without stopping at the first problem, and counts what is there; images are decoded
/// on `threads` threads.
///
/// Sets without files have no problems.
///
/// # Errors
///
/// As [`open`] for an unknown name and options that do not fit; what is wrong with the files is in the report.
pub fn check(spec: &DataSpec, threads: usize) -> Result<DataReport, DataError> {
    let set = find(&spec.name)?;
    set.read(spec)?;
    if !set.needs_dir() {
        return Ok(DataReport::default());
    }
    if spec.dir.is_none() {
        // Nothing to look at: this is an error of the caller's, with the set's own words.
        open(spec)?;
    }
    let mut checked = set.check.map_or_else(Checked::default, |check| check(spec));
    if checked.parts.is_empty() && checked.errors.is_empty() {
        let Split { train, test } = open(spec)?;
        checked.parts = vec![Part::of("train", train), Part::of("test", test)];
    }
    Ok(check::report(checked, threads))
}
