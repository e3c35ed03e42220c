//! Which files an image folder has, and what is wrong with them.

use super::NAME;
use crate::files::{self, Fault};
use crate::{DataError, DataSpec};
use std::path::{Path, PathBuf};

/// The test part's folder: the first of these that is there.
const TESTS: [&str; 3] = ["test", "val", "valid"];

/// Both parts' files with their class.
#[derive(Default)]
pub(crate) struct Listing {
    pub(super) classes: Vec<String>,
    pub(super) train: Vec<(PathBuf, u32)>,
    pub(super) test: Vec<(PathBuf, u32)>,
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
    match entries(&train) {
        Ok((folders, _)) => listing.classes = folders.iter().map(|folder| name(folder)).collect(),
        Err(error) => errors.push(error),
    }
    if listing.classes.is_empty() && errors.is_empty() {
        errors.push(missing(train.join("CLASS"), help));
    }
    let classes = listing.classes.iter().map(|class| train.join(class));
    listing.train = part(classes.enumerate().collect(), &mut errors);
    for (label, class) in listing.classes.iter().enumerate() {
        if !listing.train.iter().any(|(_, other)| *other as usize == label) {
            errors.push(missing(
                train.join(class).join("*.jpg"),
                "a class needs images (JPEG or PNG) to train on",
            ));
        }
    }

    let Some(test) = TESTS
        .map(|name| root.join(name))
        .into_iter()
        .find(|folder| folder.is_dir())
    else {
        errors.push(missing(root.join(TESTS[0]), help));
        return (listing, errors);
    };
    let mut folders = Vec::new();
    match entries(&test) {
        Ok((found, _)) => {
            for folder in found {
                match listing.classes.iter().position(|class| *class == name(&folder)) {
                    Some(label) => folders.push((label, folder)),
                    None => errors.push(missing(
                        train.join(name(&folder)),
                        &format!("{} is a class to test on that has none to train on", folder.display()),
                    )),
                }
            }
        }
        Err(error) => errors.push(error),
    }
    listing.test = part(folders, &mut errors);
    if listing.test.is_empty() && errors.is_empty() {
        errors.push(missing(test.join("CLASS").join("*.jpg"), help));
    }
    (listing, errors)
}

/// The images of some class folders, in turns.
fn part(folders: Vec<(usize, PathBuf)>, errors: &mut Vec<DataError>) -> Vec<(PathBuf, u32)> {
    let mut ranked = Vec::new();
    for (label, folder) in folders {
        match entries(&folder) {
            Ok((_, files)) => {
                let images = files.into_iter().filter(|(path, _)| is_image(path));
                for (rank, (path, size)) in images.enumerate() {
                    if size == 0 {
                        errors.push(Fault::new(0, "the file is empty: replace it").at(&path));
                    }
                    ranked.push((rank, label, path));
                }
            }
            Err(error) => errors.push(error),
        }
    }
    ranked.sort_unstable();
    ranked
        .into_iter()
        .map(|(_, label, path)| (path, label as u32))
        .collect()
}

/// A folder's folders, and its files with their sizes; sorted, without the hidden ones.
#[expect(clippy::type_complexity, reason = "named by its one line of documentation")]
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<(PathBuf, u64)>), DataError> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(files::io(folder, "list the folder"))? {
        let path = entry.map_err(files::io(folder, "list the folder"))?.path();
        if name(&path).starts_with('.') {
            continue;
        }
        // Follows links, which large sets are often made of.
        let metadata = std::fs::metadata(&path).map_err(files::io(&path, "look at the file"))?;
        if metadata.is_dir() {
            folders.push(path);
        } else {
            files.push((path, metadata.len()));
        }
    }
    folders.sort_unstable();
    files.sort_unstable();
    Ok((folders, files))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["jpg", "jpeg", "png"].iter().any(|known| extension == *known)
}
