//! Tiny-ImageNet's validation part: `val/images/` holds the images of all classes, and each line of
//! `val/val_annotations.txt` the name of one, its class, and a box, with tabs between.

use super::walk::{LeftOut, Reason, Walk};
use crate::DataError;
use crate::files::{self, Fault};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const FILE: &str = "val_annotations.txt";

/// Where the list of classes is, if a part has one.
pub(super) fn file(part: &Path) -> Option<PathBuf> {
    let file = part.join(FILE);
    (file.is_file() && part.join("images").is_dir()).then_some(file)
}

/// The images of such a part with their classes' numbers, and what is wrong.
pub(super) fn read(
    part: &Path,
    file: &Path,
    class: impl Fn(&OsStr) -> Option<usize>,
    left_out: &mut LeftOut,
) -> Result<(Walk, HashMap<PathBuf, usize>), DataError> {
    let folder = part.join("images");
    let text = files::read(file)?;
    let mut labels = HashMap::new();
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let fields: Vec<_> = line.trim_ascii_end().split(|&byte| byte == b'\t').collect();
        match fields[..] {
            [b""] => {}
            [name, label, ..] => {
                let Some(label) = class(OsStr::from_bytes(label)) else {
                    let label = String::from_utf8_lossy(label);
                    let problem =
                        format!("the class {label:?} has no folder in train/: mend the line, or add the folder");
                    return Err(Fault::new(at, problem).at(file));
                };
                labels.insert(folder.join(OsStr::from_bytes(name)), label);
            }
            _ => {
                let problem = "a line is the name of an image, a tab and its class: mend the line";
                return Err(Fault::new(at, problem).at(file));
            }
        }
        at += line.len();
    }
    let mut walk = Walk::of(&folder, left_out);
    for (image, _) in &walk.images {
        if !labels.contains_key(image) {
            left_out.add(Reason::NoClass, image);
        }
    }
    walk.images.retain(|(image, _)| labels.contains_key(image));
    let found: std::collections::HashSet<_> = walk.images.iter().map(|(image, _)| image).collect();
    let mut missing: Vec<_> = labels
        .keys()
        .filter(|image| !found.contains(image) && !image.exists())
        .collect();
    missing.sort_unstable();
    let missing = missing.into_iter().map(|image| DataError::Missing {
        dataset: super::NAME.to_string(),
        path: image.clone(),
        help: format!("{FILE} names it; get the set again"),
    });
    walk.problems.extend(missing);
    Ok((walk, labels))
}
