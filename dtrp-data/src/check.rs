//! `dtrp data check`: everything wrong with the files of a set.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::datasets::{cifar, idx};
use crate::registry::find;
use crate::{DataError, DataSpec};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or folder.
    pub path: PathBuf,
    /// Bytes from the start of the file (of its unpacked content where it is compressed), if the
    /// problem has a place.
    pub offset: Option<u64>,
    /// What is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            offset,
            problem,
        } = self;
        match offset {
            Some(offset) => write!(f, "{}: byte {offset}: {problem}", path.display()),
            None => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl From<DataError> for Problem {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Corrupt {
                path,
                offset,
                problem,
            } => Self {
                path,
                offset: Some(offset),
                problem,
            },
            DataError::Missing { path, help, .. } => Self {
                path,
                offset: None,
                problem: format!("is not there: {help}"),
            },
            DataError::Io {
                path,
                action,
                source,
            } => Self {
                path,
                offset: None,
                problem: format!("cannot {action}: {source}"),
            },
            error => Self {
                path: PathBuf::new(),
                offset: None,
                problem: error.to_string(),
            },
        }
    }
}

/// What [`check`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that were looked at.
    pub files: usize,
    /// Everything wrong, by file; of one file no more than its first 20 problems.
    pub problems: Vec<Problem>,
}

/// Looks at every byte of a set's files, without stopping at the first problem; images are decoded
/// on `threads` threads.
///
/// Sets without files have no problems.
///
/// # Errors
///
/// As [`open`](crate::open) for an unknown name and options that do not fit; what is wrong with the
/// files is in the report.
pub fn check(spec: &DataSpec, threads: usize) -> Result<Report, DataError> {
    let set = find(&spec.name)?;
    set.check_options(spec)?;
    if set.needs_dir && spec.dir.is_none() {
        // Nothing to look at: this is an error of the caller's, with the set's own words.
        crate::open(spec)?;
    }
    let (files, errors) = (set.check)(spec, threads);
    let mut problems: Vec<Problem> = Vec::new();
    let mut of_file = 0;
    for problem in errors.into_iter().map(Problem::from) {
        of_file = if problems
            .last()
            .is_some_and(|last| last.path == problem.path)
        {
            of_file + 1
        } else {
            0
        };
        if of_file < MOST {
            problems.push(problem);
        }
    }
    Ok(Report { files, problems })
}

const MOST: usize = 20;

/// The set that a folder looks like, from the names in it.
///
/// MNIST and Fashion-MNIST have the same file names: this says `fashion-mnist` if the folder's path
/// does, else `mnist`.
///
/// # Errors
///
/// [`DataError::Missing`] if the folder is not there or looks like none.
pub fn detect(dir: &Path) -> Result<DataSpec, DataError> {
    let has = |folders: &[&str], test: &dyn Fn(&Path) -> bool| {
        test(dir) || folders.iter().any(|folder| test(&dir.join(folder)))
    };
    let cifar = |layout: &cifar::Layout| {
        has(&[layout.folder], &|folder| {
            layout.files().any(|file| folder.join(file).exists())
        })
    };
    let name = if cifar(&cifar::CIFAR10) {
        "cifar10"
    } else if has(idx::FASHION_MNIST.folders, &idx::has_any) && {
        let path = dir.to_string_lossy().to_lowercase();
        path.contains("fashion")
            || idx::FASHION_MNIST
                .folders
                .iter()
                .any(|folder| idx::has_any(&dir.join(folder)))
    } {
        "fashion-mnist"
    } else if has(idx::MNIST.folders, &idx::has_any) {
        "mnist"
    } else if dir.join("train").is_dir() {
        "image-folder"
    } else if cifar(&cifar::CIFAR100) {
        "cifar100"
    } else {
        return Err(DataError::Missing {
            dataset: "any".to_string(),
            path: dir.to_path_buf(),
            help: "no folder with the files of a known set; name one, and the set if need be"
                .to_string(),
        });
    };
    Ok(DataSpec::in_dir(name, dir))
}
