//! Going through folders: which files are images, and what is left out for which reason.

use crate::DataError;
use crate::files;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Names that images have: those of torchvision's `ImageFolder`, and jfif.
const EXTENSIONS: [&str; 10] = ["jpg", "jpeg", "jfif", "png", "ppm", "pgm", "bmp", "tif", "tiff", "webp"];

/// Why something in a folder is no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    Extension,
    NoClass,
    Hidden,
    Dangling,
    Special,
    Unreadable,
    Again,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Self::Extension => "no extension of images",
            Self::NoClass => "outside the class folders",
            Self::Hidden => "hidden",
            Self::Dangling => "links that lead nowhere",
            Self::Special => "pipes, sockets or devices",
            Self::Unreadable => "cannot be looked at",
            Self::Again => "links to a folder that was seen already",
        }
    }
}

/// What was left out of one part.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    counts: BTreeMap<Reason, usize>,
    /// A few names of each.
    examples: BTreeMap<Reason, BTreeSet<String>>,
}

/// Names that a note gives for a reason.
const EXAMPLES: usize = 3;

impl LeftOut {
    pub(super) fn add(&mut self, reason: Reason, path: &Path) {
        *self.counts.entry(reason).or_default() += 1;
        let example = match (reason, path.extension()) {
            (Reason::Extension, Some(extension)) => format!(".{}", extension.to_string_lossy()),
            _ => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let examples = self.examples.entry(reason).or_default();
        if examples.len() < EXAMPLES {
            examples.insert(example);
        }
    }

    /// A sentence, if there is anything to say.
    pub(super) fn note(&self, part: &str) -> Option<String> {
        let total: usize = self.counts.values().sum();
        let reasons = self.counts.iter().map(|(reason, count)| {
            let examples = self.examples[reason].iter().map(|name| name.escape_debug().to_string());
            let examples = examples.collect::<Vec<_>>().join(", ");
            format!("{}: {count} ({examples})", reason.text())
        });
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        (total > 0).then(|| format!("{part}/: left out: {total}; {reasons}"))
    }
}

/// The images of one class, and what else a walk finds.
#[derive(Default)]
pub(super) struct Walk {
    /// Each with its size.
    pub(super) images: Vec<(PathBuf, u64)>,
    /// Images that cannot be used, each for a reason of its own.
    pub(super) problems: Vec<DataError>,
    /// Folders that cannot be listed.
    pub(super) errors: Vec<DataError>,
    seen: HashSet<(u64, u64)>,
}

impl Walk {
    /// The images in `folder` and in all folders below it, sorted.
    pub(super) fn of(folder: &Path, left_out: &mut LeftOut) -> Self {
        let mut walk = Self::default();
        let mut waiting = vec![folder.to_path_buf()];
        while let Some(folder) = waiting.pop() {
            // Links may lead in circles.
            let known = std::fs::metadata(&folder).is_ok_and(|it| !walk.seen.insert((it.dev(), it.ino())));
            if known {
                left_out.add(Reason::Again, &folder);
                continue;
            }
            match entries(&folder, left_out) {
                Ok(mut entries) => {
                    // The last comes off first.
                    waiting.extend(entries.folders.drain(..).rev());
                    for image in entries.images {
                        walk.look(image, left_out);
                    }
                }
                Err(error) => walk.errors.push(error),
            }
        }
        walk.images.sort_unstable();
        walk
    }

    fn look(&mut self, image: PathBuf, left_out: &mut LeftOut) {
        let problem = match std::fs::metadata(&image) {
            Ok(metadata) => match files::plain(&metadata) {
                Ok(()) => return self.images.push((image, metadata.len())),
                Err(problem) => (Reason::Special, problem, "read the file"),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let problem = Error::new(error.kind(), "the link leads nowhere; mend or remove it");
                (Reason::Dangling, problem, "look at the file")
            }
            Err(error) => (Reason::Unreadable, error, "look at the file"),
        };
        let (reason, problem, action) = problem;
        left_out.add(reason, &image);
        self.problems.push(files::io(&image, action)(problem));
    }
}

/// What a folder holds, but what is left out.
pub(super) struct Entries {
    /// Sorted.
    pub(super) folders: Vec<PathBuf>,
    /// What is named as images are and is no folder, whatever it is.
    pub(super) images: Vec<PathBuf>,
}

/// Lists a folder. Files that are not named as images are not looked at.
pub(super) fn entries(folder: &Path, left_out: &mut LeftOut) -> Result<Entries, DataError> {
    let list = || files::io(folder, "list the folder");
    let (mut folders, mut images) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(list())? {
        let entry = entry.map_err(list())?;
        let path = entry.path();
        // Links are followed: large sets are often made of them.
        let is_folder = entry
            .file_type()
            .is_ok_and(|kind| kind.is_dir() || kind.is_symlink() && path.is_dir());
        if entry.file_name().as_bytes().starts_with(b".") {
            left_out.add(Reason::Hidden, &path);
        } else if is_folder {
            folders.push(path);
        } else if is_image(&path) {
            images.push(path);
        } else {
            left_out.add(Reason::Extension, &path);
        }
    }
    folders.sort_unstable();
    Ok(Entries { folders, images })
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or(OsStr::new(""));
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}
