//! `mnist` and `fashion-mnist`: IDX files, plain or gzip-compressed (Y. LeCun, C. Cortes, C.
//! Burges, *The MNIST database*; H. Xiao, K. Rasul, R. Vollgraf, *Fashion-MNIST*, 2017).
//!
//! An IDX file is `00 00 08 n` (unsigned bytes, n dimensions), n sizes as big-endian u32, and the
//! bytes. Images have three dimensions (number, rows, columns), labels one. Both parts are checked
//! whole when opened and held in memory. Any number and size of images is fine, so that small sets
//! can be made in the same layout.

mod parse;

use crate::check::Checked;
use crate::dataset::{Dataset, Normalization, Split, check_get};
use crate::files;
use crate::shape::ImageShape;
use crate::{DataError, DataSpec, DatasetInfo};
use parse::{HEADER_1, HEADER_3, parse_images, parse_labels};
use std::path::{Path, PathBuf};
use std::sync::Arc;

inventory::submit!(
    DatasetInfo::new("mnist", "handwritten digits; IDX, plain or .gz", &[], |spec, _| open(
        &MNIST, spec
    ))
    .images(SHAPE, CLASSES, SAMPLES)
    .from_files(FILES)
    .licence(
        "none stated; cite Y. LeCun, C. Cortes and C. Burges, The MNIST database",
        Some("http://yann.lecun.com/exdb/mnist"),
    )
    .checked(|spec| check(&MNIST, spec))
);

inventory::submit!(
    DatasetInfo::new(
        "fashion-mnist",
        "pictures of clothes; IDX, plain or .gz",
        &[],
        |spec, _| open(&FASHION_MNIST, spec)
    )
    .images(SHAPE, CLASSES, SAMPLES)
    .from_files(FILES)
    .licence(
        "MIT; H. Xiao, K. Rasul and R. Vollgraf, Zalando Research",
        Some("https://github.com/zalandoresearch/fashion-mnist"),
    )
    .checked(|spec| check(&FASHION_MNIST, spec))
);

/// As published; other sizes and numbers are read too.
const SHAPE: ImageShape = ImageShape::new(1, 28, 28);
const SAMPLES: [usize; 2] = [60_000, 10_000];
const FILES: &str = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, \
                     t10k-labels-idx1-ubyte, each plain or .gz";

/// What the sets differ in.
pub(crate) struct IdxLayout {
    pub(crate) name: &'static str,
    /// Folders inside `data.dir` that are looked into; torchvision's is among them.
    pub(crate) folders: &'static [&'static str],
    class_names: [&'static str; CLASSES],
    mean: f32,
    std: f32,
}

const CLASSES: usize = 10;

pub(crate) const MNIST: IdxLayout = IdxLayout {
    name: "mnist",
    folders: &["mnist", "MNIST/raw"],
    class_names: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    mean: 0.1307,
    std: 0.3081,
};

pub(crate) const FASHION_MNIST: IdxLayout = IdxLayout {
    name: "fashion-mnist",
    folders: &["fashion-mnist", "FashionMNIST/raw"],
    class_names: [
        "t-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ],
    mean: 0.2860,
    std: 0.3530,
};

/// The stems of image and label file, for training and test part.
const PARTS: [[&str; 2]; 2] = [["train-images", "train-labels"], ["t10k-images", "t10k-labels"]];

fn open(layout: &'static IdxLayout, spec: &DataSpec) -> Result<Split, DataError> {
    let folder = layout.locate(spec)?;
    let (mut parts, mut errors) = layout.read(&folder);
    if !errors.is_empty() {
        return Err(errors.swap_remove(0));
    }
    let mut part = || -> Arc<dyn Dataset> { Arc::new(parts.remove(0)) };
    Ok(Split {
        train: part(),
        test: part(),
    })
}

/// Counts the files that are there, and finds everything wrong with all of them.
fn check(layout: &'static IdxLayout, spec: &DataSpec) -> Checked {
    match layout.locate(spec) {
        Ok(folder) => Checked {
            files: files_in(&folder).count(),
            errors: layout.read(&folder).1,
            ..Checked::default()
        },
        Err(error) => Checked::failed(error),
    }
}

impl IdxLayout {
    fn locate(&self, spec: &DataSpec) -> Result<PathBuf, DataError> {
        let help = format!(
            "set `data.dir` to the folder with train-images-idx3-ubyte, train-labels-idx1-ubyte, \
             t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (each may end in .gz), \
             or to the folder that holds it as `{}`; `dtrp data fetch {}` gets them",
            self.folders[0], self.name
        );
        files::locate(self.name, spec.dir.as_deref(), self.folders, help, has_any)
    }

    /// Both parts, and everything wrong with their files; the parts are whole if nothing is.
    fn read(&'static self, folder: &Path) -> (Vec<Idx>, Vec<DataError>) {
        let (mut parts, mut errors) = (Vec::new(), Vec::new());
        for names in PARTS {
            match self.read_part(folder, names) {
                Ok(part) => parts.push(part),
                Err(more) => errors.extend(more),
            }
        }
        if let [train, test] = parts.as_slice()
            && train.shape != test.shape
        {
            // The file was there a moment ago, for it has been read.
            let path = find(folder, PARTS[1][0]).unwrap_or_else(|| folder.to_path_buf());
            let problem = format!(
                "the test images are {}, the training images {}",
                test.shape, train.shape
            );
            errors.push(DataError::Corrupt {
                path,
                offset: 8,
                problem: problem + ": they are of different sets",
            });
        }
        (parts, errors)
    }

    fn read_part(&'static self, folder: &Path, [images, labels]: [&str; 2]) -> Result<Idx, Vec<DataError>> {
        let mut errors = Vec::new();
        let mut read = |stem, header, rank| {
            let result = find(folder, stem).ok_or_else(|| DataError::Missing {
                dataset: self.name.to_string(),
                path: folder.join(format!("{stem}-idx{rank}-ubyte")),
                help: format!(
                    "the folder is incomplete (a file may also end in .gz): get the set again, \
                     `dtrp data fetch {}`",
                    self.name
                ),
            });
            result
                .and_then(|path| Ok((files::read_unpacked(&path, |start| parse::size(start, header))?, path)))
                .map_err(|error| errors.push(error))
                .ok()
        };
        let (images, labels) = (read(images, HEADER_3, 3), read(labels, HEADER_1, 1));
        let shape = images.and_then(|(bytes, path)| match parse_images(&bytes) {
            Ok((count, shape)) => Some((bytes, count, shape)),
            Err(fault) => {
                errors.push(fault.at(&path));
                None
            }
        });
        if let Some((bytes, path)) = &labels {
            errors
                .extend(parse_labels(bytes, shape.as_ref().map(|found| found.1), CLASSES).map(|fault| fault.at(path)));
        }
        match (shape, labels) {
            (Some((images, count, shape)), Some((labels, _))) if errors.is_empty() => Ok(Idx {
                layout: self,
                images,
                labels,
                count,
                shape,
            }),
            _ => Err(errors),
        }
    }
}

/// Whether the folder has any of the files.
pub(crate) fn has_any(folder: &Path) -> bool {
    files_in(folder).next().is_some()
}

fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let stems = PARTS.iter().flatten();
    stems.filter_map(move |stem| find(folder, stem))
}

/// The file of that stem, in the spellings that are about.
fn find(folder: &Path, stem: &str) -> Option<PathBuf> {
    let rank = if stem.ends_with("images") { 3 } else { 1 };
    let names = ["-", "."].map(|dash| format!("{stem}{dash}idx{rank}-ubyte"));
    let both = names.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]);
    both.map(|name| folder.join(name)).find(|path| path.exists())
}

struct Idx {
    layout: &'static IdxLayout,
    /// Both with their headers.
    images: Vec<u8>,
    labels: Vec<u8>,
    count: usize,
    shape: ImageShape,
}

impl Dataset for Idx {
    fn name(&self) -> &str {
        self.layout.name
    }

    fn len(&self) -> usize {
        self.count
    }

    fn shape(&self) -> ImageShape {
        self.shape
    }

    fn classes(&self) -> usize {
        CLASSES
    }

    fn class_names(&self) -> Vec<String> {
        self.layout.class_names.map(str::to_string).to_vec()
    }

    fn normalization(&self) -> Normalization {
        Normalization::new(&[self.layout.mean], &[self.layout.std])
    }

    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        check_get(self, index, image)?;
        image.copy_from_slice(&self.images[HEADER_3 + index * image.len()..][..image.len()]);
        Ok(u32::from(self.labels[HEADER_1 + index]))
    }
}
