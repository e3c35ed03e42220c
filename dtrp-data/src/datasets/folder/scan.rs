//! Which files an image folder has, and what is wrong with them.

use super::walk::{LeftOut, Reason, Walk, entries};
use super::{NAME, annotations};
use crate::files::{self, Fault};
use crate::{DataError, DataSpec};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The test part's folder: the first of these that has class folders.
const TESTS: [&str; 3] = ["test", "val", "valid"];

/// One part's images with their class, and what is worth telling of the part.
#[derive(Default)]
pub(super) struct Images {
    pub(super) files: Vec<(PathBuf, u32)>,
    pub(super) notes: Vec<String>,
}

/// Both parts.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) classes: Vec<String>,
    pub(super) train: Images,
    pub(super) test: Images,
    /// What is wrong with single images, which are in no part; the others of their class are.
    pub(super) problems: Vec<DataError>,
}

/// Lists both parts, and everything wrong that shows without reading the files.
pub(super) fn scan(spec: &DataSpec) -> (Listing, Vec<DataError>) {
    let mut listing = Listing::default();
    let mut errors = Vec::new();
    let help = "set `data.dir` to a folder with `train/CLASS/*.jpg` and `test/CLASS/*.jpg` \
                (or `val/`; JPEG or PNG)";
    let root = match files::locate(NAME, spec.dir.as_deref(), &[], help.to_string(), |_| true) {
        Ok(root) => root,
        Err(error) => return (listing, vec![error]),
    };
    let missing = |path: PathBuf, help: &str| DataError::Missing {
        dataset: NAME.to_string(),
        path,
        help: help.to_string(),
    };

    let train = root.join("train");
    if !train.is_dir() {
        errors.push(missing(train, help));
        return (listing, errors);
    }
    let mut left_out = LeftOut::default();
    let classes = class_folders(&train, &mut left_out).unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    if classes.is_empty() && errors.is_empty() {
        errors.push(missing(train.join("CLASS"), help));
    }
    listing.classes = classes
        .iter()
        .map(|folder| name(folder).to_string_lossy().into_owned())
        .collect();
    let mut part = Part::default();
    for (label, class) in classes.iter().enumerate() {
        let walk = Walk::of(class, &mut left_out);
        if walk.images.is_empty() && walk.errors.is_empty() {
            errors.push(missing(
                class.join("*.jpg"),
                "a class needs images (JPEG or PNG) to train on",
            ));
        }
        part.add(walk, |_| label);
    }
    listing.train = part.finish("train", &left_out, &mut listing.problems, &mut errors);

    let class = |wanted: &OsStr| classes.iter().position(|class| name(class) == wanted);
    let Some(found) = find_test(&root, class) else {
        errors.push(missing(root.join(TESTS[0]), help));
        return (listing, errors);
    };
    let mut part = Part::default();
    let mut left_out = LeftOut::default();
    let (test, shown) = (&found.folder, found.folder.file_name().unwrap_or_default());
    if let Some(file) = annotations::file(test) {
        match annotations::read(test, &file, class, &mut left_out) {
            Ok((walk, labels)) => part.add(walk, |image| labels[image]),
            Err(error) => errors.push(error),
        }
    } else {
        match class_folders(test, &mut left_out) {
            Ok(folders) => {
                for folder in folders {
                    match class(name(&folder)) {
                        Some(label) => part.add(Walk::of(&folder, &mut left_out), |_| label),
                        None => errors.push(missing(
                            train.join(name(&folder)),
                            &format!("{} is a class to test on that has none to train on", folder.display()),
                        )),
                    }
                }
            }
            Err(error) => errors.push(error),
        }
    }
    listing.test = part.finish(&shown.to_string_lossy(), &left_out, &mut listing.problems, &mut errors);
    listing.test.notes.extend(found.note);
    if listing.test.files.is_empty() && errors.is_empty() {
        errors.push(missing(test.join("CLASS").join("*.jpg"), help));
    }
    (listing, errors)
}

struct Test {
    folder: PathBuf,
    /// Why it is not the first.
    note: Option<String>,
}

/// The folder to test on: the first that has a class's folder or a list of classes; if none has, the first with
/// any folder; if none has that either, the first.
fn find_test(root: &Path, class: impl Fn(&OsStr) -> Option<usize>) -> Option<Test> {
    let there: Vec<_> = TESTS
        .map(|name| root.join(name))
        .into_iter()
        .filter(|part| part.is_dir())
        .collect();
    // What is wrong with them shows when the one that is taken is listed.
    let folders = |part: &Path| class_folders(part, &mut LeftOut::default()).unwrap_or_default();
    let has_class = |part: &&PathBuf| {
        annotations::file(part).is_some() || folders(part).iter().any(|folder| class(name(folder)).is_some())
    };
    let folder = (there.iter().find(has_class))
        .or_else(|| there.iter().find(|part| !folders(part).is_empty()))
        .or(there.first())?;
    let note = (folder != &there[0]).then(|| {
        let (first, taken) = (name(&there[0]).to_string_lossy(), name(folder).to_string_lossy());
        format!("{first}/ has no folders of classes: {taken}/ is tested on")
    });
    Some(Test {
        folder: folder.clone(),
        note,
    })
}

/// The class folders of a part, sorted; images beside them belong to no class.
fn class_folders(part: &Path, left_out: &mut LeftOut) -> Result<Vec<PathBuf>, DataError> {
    let entries = entries(part, left_out)?;
    entries
        .images
        .iter()
        .for_each(|image| left_out.add(Reason::NoClass, image));
    Ok(entries.folders)
}

/// A part while it is put together.
#[derive(Default)]
struct Part {
    /// Each image with its place among those of its class, the class, its path and its size.
    ranked: Vec<(usize, usize, PathBuf, u64)>,
    counts: Vec<usize>,
    problems: Vec<DataError>,
    errors: Vec<DataError>,
}

impl Part {
    fn add(&mut self, walk: Walk, label: impl Fn(&Path) -> usize) {
        for (image, size) in walk.images {
            let label = label(&image);
            if self.counts.len() <= label {
                self.counts.resize(label + 1, 0);
            }
            self.ranked.push((self.counts[label], label, image, size));
            self.counts[label] += 1;
        }
        self.problems.extend(walk.problems);
        self.errors.extend(walk.errors);
    }

    /// The images of all classes in turns.
    fn finish(
        mut self,
        name: &str,
        left_out: &LeftOut,
        problems: &mut Vec<DataError>,
        errors: &mut Vec<DataError>,
    ) -> Images {
        problems.append(&mut self.problems);
        errors.append(&mut self.errors);
        self.ranked.sort_unstable();
        let empty = self.ranked.iter().filter(|(.., size)| *size == 0);
        errors.extend(empty.map(|(_, _, path, _)| Fault::new(0, "the file is empty: replace it").at(path)));
        let files = self.ranked.into_iter();
        Images {
            files: files.map(|(_, label, path, _)| (path, label as u32)).collect(),
            notes: left_out.note(name).into_iter().collect(),
        }
    }
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}
