//! `cifar10` and `cifar100`: the binary folders of <https://www.cs.toronto.edu/~kriz/cifar.html>
//! (A. Krizhevsky,
//! *Learning Multiple Layers of Features from Tiny Images*, 2009).
//!
//! A file is a sequence of records without a header: the label bytes (CIFAR-10: the class;
//! CIFAR-100: the coarse class, then the fine one), then 3,072 pixels, channel-major. The whole set
//! is checked when it is opened and held in memory, 184 MB. Any number of records in a file is
//! fine, so that small sets can be made in the same layout.

use crate::check::Checked;
use crate::dataset::{Dataset, Normalization, Split, check_get};
use crate::files::{self, Fault};
use crate::shape::ImageShape;
use crate::{DataError, DataSpec, DatasetInfo};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

inventory::submit!(
    DatasetInfo::new(
        "cifar10",
        "photographs of animals and vehicles; binary version",
        &[],
        |spec, _| open(&CIFAR10, spec),
    )
    .images(SHAPE, 10, [50_000, 10_000])
    .from_files("data_batch_1.bin to data_batch_5.bin, test_batch.bin; batches.meta.txt if there")
    .licence(LICENCE, PAGE)
    .checked(|spec| CIFAR10.check(spec))
);

inventory::submit!(
    DatasetInfo::new(
        "cifar100",
        "photographs of a hundred things; binary version",
        &[],
        |spec, _| open(&CIFAR100, spec),
    )
    .images(SHAPE, 100, [50_000, 10_000])
    .from_files("train.bin, test.bin; fine_label_names.txt if there")
    .licence(LICENCE, PAGE)
    .checked(|spec| CIFAR100.check(spec))
);

const LICENCE: &str = "none stated; cite A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009";
const PAGE: Option<&str> = Some("https://www.cs.toronto.edu/~kriz/cifar.html");

const SHAPE: ImageShape = ImageShape::new(3, 32, 32);

/// What the two sets differ in.
pub(crate) struct CifarLayout {
    pub(crate) name: &'static str,
    pub(crate) folder: &'static str,
    pub(crate) train: &'static [&'static str],
    pub(crate) test: &'static [&'static str],
    /// The classes that each label byte of a record counts; the last one is the label.
    pub(crate) labels: &'static [u8],
    class_file: &'static str,
    /// The names in that file, as published, separated by blanks.
    class_names: &'static str,
    mean: [f32; 3],
    std: [f32; 3],
}

pub(crate) const CIFAR10: CifarLayout = CifarLayout {
    name: "cifar10",
    folder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: &["test_batch.bin"],
    labels: &[10],
    class_file: "batches.meta.txt",
    class_names: "airplane automobile bird cat deer dog frog horse ship truck",
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.2470, 0.2435, 0.2616],
};

pub(crate) const CIFAR100: CifarLayout = CifarLayout {
    name: "cifar100",
    folder: "cifar-100-binary",
    train: &["train.bin"],
    test: &["test.bin"],
    labels: &[20, 100],
    class_file: "fine_label_names.txt",
    class_names: "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly \
                  camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup \
                  dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower \
                  leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid \
                  otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray \
                  road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar \
                  sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle \
                  wardrobe whale willow_tree wolf woman worm",
    mean: [0.5071, 0.4865, 0.4409],
    std: [0.2673, 0.2564, 0.2762],
};

fn open(layout: &'static CifarLayout, spec: &DataSpec) -> Result<Split, DataError> {
    let folder = layout.locate(spec)?;
    let class_names = layout.class_names(&folder)?;
    let part = |names: &[&str]| -> Result<Arc<dyn Dataset>, DataError> {
        Ok(Arc::new(Cifar {
            layout,
            records: layout.read(&folder, names)?,
            class_names: class_names.clone(),
        }))
    };
    Ok(Split {
        // The test part first: it is small, so that a fault in it is found before 150 MB are read.
        test: part(layout.test)?,
        train: part(layout.train)?,
    })
}

impl CifarLayout {
    /// Bytes of one record.
    pub(crate) const fn record(&self) -> usize {
        self.labels.len() + SHAPE.len()
    }

    /// All files that must be there.
    pub(crate) fn files(&self) -> impl Iterator<Item = &'static str> {
        self.train.iter().chain(self.test).copied()
    }

    /// The folder itself, or the one of the usual name inside the one given: the first that has any
    /// of the files.
    pub(crate) fn locate(&self, spec: &DataSpec) -> Result<PathBuf, DataError> {
        let help = format!(
            "set `data.dir` to the folder `{}` of the binary version, with {}, \
             or to the folder that holds it; `dtrp data fetch {}` gets it",
            self.folder,
            self.files().collect::<Vec<_>>().join(", "),
            self.name
        );
        files::locate(self.name, spec.dir.as_deref(), &[self.folder], help, |folder| {
            self.files().any(|file| folder.join(file).exists())
        })
    }

    /// The classes' names from the set's own list if it is there, else those published.
    fn class_names(&self, folder: &Path) -> Result<Vec<String>, DataError> {
        let path = folder.join(self.class_file);
        if !path.exists() {
            return Ok(self.class_names.split_whitespace().map(str::to_owned).collect());
        }
        let bytes = files::read(&path)?;
        parse_class_names(&bytes, self.classes()).map_err(|fault| fault.at(&path))
    }

    pub(crate) fn classes(&self) -> usize {
        usize::from(*self.labels.last().unwrap_or(&0))
    }

    fn read(&self, folder: &Path, names: &[&str]) -> Result<Vec<u8>, DataError> {
        let paths: Vec<_> = names.iter().map(|name| folder.join(name)).collect();
        let mut size = 0;
        for path in &paths {
            size += files::size(self.name, path)? as usize;
        }
        let mut records = Vec::with_capacity(size);
        for path in &paths {
            let start = records.len();
            files::open(path)
                .and_then(|mut file| file.read_to_end(&mut records))
                .map_err(files::io(path, "read the file"))?;
            if let Some(fault) = self.faults(&records[start..]).next() {
                return Err(fault.at(path));
            }
        }
        Ok(records)
    }

    /// Counts the files that are there, and finds everything wrong with all of them.
    pub(crate) fn check(&self, spec: &DataSpec) -> Checked {
        let folder = match self.locate(spec) {
            Ok(folder) => folder,
            Err(error) => return Checked::failed(error),
        };
        let mut files = 0;
        let mut errors: Vec<_> = self.class_names(&folder).err().into_iter().collect();
        for path in self.files().map(|file| folder.join(file)) {
            let read = files::size(self.name, &path).and_then(|_| files::read(&path));
            match read {
                Ok(bytes) => {
                    files += 1;
                    errors.extend(self.faults(&bytes).map(|fault| fault.at(&path)));
                }
                Err(error) => errors.push(error),
            }
        }
        Checked {
            files,
            errors,
            ..Checked::default()
        }
    }

    /// Everything wrong with one file's bytes, from its start to its end.
    pub(crate) fn faults<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Fault> + 'a {
        let record = self.record();
        let empty = bytes
            .is_empty()
            .then(|| Fault::new(0, "the file is empty; get it again"));
        let labels = bytes.chunks_exact(record).enumerate().flat_map(move |(number, bytes)| {
            let bad = self
                .labels
                .iter()
                .enumerate()
                .filter(move |&(at, &classes)| bytes[at] >= classes);
            bad.map(move |(at, classes)| {
                let label = bytes[at];
                Fault::new(
                    number * record + at,
                    format!(
                        "record {number} has label {label}, but labels are below {classes}: \
                         the file is damaged or of another set; get it again"
                    ),
                )
            })
        });
        let rest = bytes.len() % record;
        let partial = (rest != 0).then(|| {
            Fault::new(
                bytes.len() - rest,
                format!(
                    "the last record is cut short, {rest} of {record} bytes: \
                     the file is truncated or of another set; get it again"
                ),
            )
        });
        empty.into_iter().chain(labels).chain(partial)
    }
}

/// One name a line; blank lines are ignored.
pub(crate) fn parse_class_names(bytes: &[u8], classes: usize) -> Result<Vec<String>, Fault> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Fault::new(error.valid_up_to(), "not UTF-8 text; get the file again or remove it"))?;
    let names: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_string)
        .collect();
    if names.len() != classes {
        let problem = format!(
            "{} class names, but the set has {classes} classes; get the file again or remove it",
            names.len()
        );
        return Err(Fault::new(bytes.len(), problem));
    }
    Ok(names)
}

struct Cifar {
    layout: &'static CifarLayout,
    records: Vec<u8>,
    class_names: Vec<String>,
}

impl Dataset for Cifar {
    fn name(&self) -> &str {
        self.layout.name
    }

    fn len(&self) -> usize {
        self.records.len() / self.layout.record()
    }

    fn shape(&self) -> ImageShape {
        SHAPE
    }

    fn classes(&self) -> usize {
        self.layout.classes()
    }

    fn class_names(&self) -> Vec<String> {
        self.class_names.clone()
    }

    fn normalization(&self) -> Normalization {
        Normalization::new(&self.layout.mean, &self.layout.std)
    }

    fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
        check_get(self, index, image)?;
        let record = &self.records[index * self.layout.record()..][..self.layout.record()];
        let (labels, pixels) = record.split_at(self.layout.labels.len());
        image.copy_from_slice(pixels);
        Ok(u32::from(*labels.last().unwrap_or(&0)))
    }
}
