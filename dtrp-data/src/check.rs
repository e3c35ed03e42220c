//! `dtrp data check`: everything wrong with the files of a set, and what they hold.

mod survey;

use crate::DataError;
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
pub use survey::PartReport;
use survey::survey;
pub(crate) use survey::{Levels, Part};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataProblem {
    /// The file or folder.
    pub path: PathBuf,
    /// Bytes from the start of the file (of its unpacked content where it is compressed), if the
    /// problem has a place.
    pub offset: Option<u64>,
    /// What is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for DataProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, offset, problem } = self;
        match offset {
            Some(offset) => write!(f, "{}: byte {offset}: {problem}", path.display()),
            None => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl From<DataError> for DataProblem {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Corrupt { path, offset, problem } => Self {
                path,
                offset: Some(offset),
                problem,
            },
            DataError::Missing { path, help, .. } => Self {
                path,
                offset: None,
                problem: format!("is not there: {help}"),
            },
            DataError::Io { path, action, source } => Self {
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

/// What [`check`](fn@crate::check) found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DataReport {
    /// Files that were looked at.
    pub files: usize,
    /// Everything wrong, by file; of one file no more than its first 20 problems.
    pub problems: Vec<DataProblem>,
    /// What is worth knowing though it is no problem: files that were left out, by reason, and images that are not
    /// taken as other programs might.
    pub notes: Vec<String>,
    /// What the training part and the test part hold. Nothing for sets without files, and where the
    /// problems leave no samples to count.
    pub parts: Vec<PartReport>,
}

/// What a set's own check hands over.
#[derive(Default)]
pub(crate) struct Checked {
    pub(crate) files: usize,
    pub(crate) errors: Vec<DataError>,
    /// The parts, where looking at samples can show more problems; otherwise the set is opened for
    /// that.
    pub(crate) parts: Vec<Part>,
}

impl Checked {
    pub(crate) fn failed(error: DataError) -> Self {
        Self {
            errors: vec![error],
            ..Self::default()
        }
    }
}

/// Looks at every sample of every part on `threads` threads, and brings together what is wrong and what is there.
pub(crate) fn report(checked: Checked, threads: usize) -> DataReport {
    let Checked { files, errors, parts } = checked;
    let mut problems: Vec<_> = errors.into_iter().map(DataProblem::from).collect();
    let known: HashSet<_> = problems.iter().map(|known| known.path.clone()).collect();
    let mut reports = Vec::new();
    let mut notes = Vec::new();
    for part in &parts {
        let (report, mut found) = survey(part, threads);
        found.retain(|problem| !known.contains(&problem.path));
        problems.append(&mut found);
        reports.push(report);
        notes.append(&mut (part.notes)());
    }
    DataReport {
        files,
        problems: first_of_each(problems),
        notes,
        parts: reports,
    }
}

const MOST: usize = 20;

/// No more than so many of one file. The problems of a file stand together.
fn first_of_each(all: Vec<DataProblem>) -> Vec<DataProblem> {
    let mut kept: Vec<DataProblem> = Vec::new();
    let mut of_file = 0;
    for problem in all {
        let same = kept.last().is_some_and(|last| last.path == problem.path);
        of_file = if same { of_file + 1 } else { 0 };
        if of_file < MOST {
            kept.push(problem);
        }
    }
    kept
}
