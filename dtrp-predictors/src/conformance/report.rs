//! What a check found, for people and for programs.

use crate::{PredictorError, abi, loader::Descriptor, loader::Library};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What the check of a library found. `Display` gives it as a small table.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConformanceReport {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file in hexadecimal; empty if it could not be loaded.
    pub sha256: String,
    /// Version of the interface that it was built against; `None` if it could not be loaded.
    pub abi: Option<(u32, u32)>,
    /// Why there is nothing to check.
    pub error: Option<PredictorError>,
    /// Each predictor that was checked.
    pub predictors: Vec<CheckedPredictor>,
}

/// What the check of one predictor found.
#[derive(Debug, Clone)]
pub struct CheckedPredictor {
    /// What it is.
    pub descriptor: Descriptor,
    /// What was checked.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// As the table of [the module](super) names it.
    pub name: &'static str,
    /// What came of it.
    pub outcome: CheckOutcome,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It holds.
    Passed,
    /// It does not hold, and how.
    Failed(String),
    /// It was not tried, and why.
    Skipped(String),
}

impl Check {
    pub(super) fn passed(name: &'static str) -> Self {
        Self {
            name,
            outcome: CheckOutcome::Passed,
        }
    }

    pub(super) fn failed(name: &'static str, how: String) -> Self {
        Self {
            name,
            outcome: CheckOutcome::Failed(how),
        }
    }

    pub(super) fn skipped(name: &'static str, why: String) -> Self {
        Self {
            name,
            outcome: CheckOutcome::Skipped(why),
        }
    }
}

impl ConformanceReport {
    pub(super) fn of(library: &Library) -> Self {
        Self {
            path: library.path().into(),
            sha256: library.sha256().into(),
            abi: Some(library.abi()),
            error: None,
            predictors: Vec::new(),
        }
    }

    pub(super) fn unloadable(path: &Path, error: PredictorError) -> Self {
        Self {
            path: path.into(),
            sha256: String::new(),
            abi: None,
            error: Some(error),
            predictors: Vec::new(),
        }
    }

    /// Whether everything that was to be checked holds.
    pub fn passed(&self) -> bool {
        self.error.is_none() && self.failures().next().is_none()
    }

    /// Id of the predictor, name of the check, and how it failed.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &'static str, &str)> {
        self.predictors.iter().flat_map(|checked| {
            checked.checks.iter().filter_map(|check| match &check.outcome {
                CheckOutcome::Failed(how) => Some((checked.descriptor.id.as_str(), check.name, how.as_str())),
                CheckOutcome::Passed | CheckOutcome::Skipped(_) => None,
            })
        })
    }
}

impl fmt::Display for ConformanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path.display())?;
        if let Some((major, minor)) = self.abi {
            write!(f, "  interface {major}.{minor}")?;
            if !self.sha256.is_empty() {
                write!(f, ", sha256 {}", self.sha256)?;
            }
            writeln!(f)?;
        }
        for CheckedPredictor { descriptor, checks } in &self.predictors {
            writeln!(
                f,
                "\n  {} {} ({})",
                descriptor.id,
                descriptor.version,
                Traits(descriptor)
            )?;
            writeln!(f, "  {}", descriptor.description)?;
            for Check { name, outcome } in checks {
                match outcome {
                    CheckOutcome::Passed => writeln!(f, "    ok    {name}")?,
                    CheckOutcome::Failed(how) => writeln!(f, "    FAIL  {name}: {how}")?,
                    CheckOutcome::Skipped(why) => writeln!(f, "    -     {name}: {why}")?,
                }
            }
        }
        if let Some(error) = &self.error {
            writeln!(f, "  FAIL  {error}")?;
        }
        let failed = self.failures().count() + usize::from(self.error.is_some());
        match failed {
            0 => write!(f, "\npassed"),
            1 => write!(f, "\nfailed: 1 check"),
            n => write!(f, "\nfailed: {n} checks"),
        }
    }
}

/// Kind, devices, number types and licence in one line.
struct Traits<'a>(&'a Descriptor);

impl fmt::Display for Traits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Descriptor {
            linear,
            devices,
            dtypes,
            licence,
            ..
        } = self.0;
        if *linear {
            write!(f, "linear rule, every device")?;
        } else {
            write!(f, "custom")?;
            let flags = [
                (devices, abi::device::CPU, "cpu"),
                (devices, abi::device::CUDA, "cuda"),
                (dtypes, abi::dtype::F32, "f32"),
                (dtypes, abi::dtype::F64, "f64"),
            ];
            for (_, _, name) in flags.iter().filter(|(set, bit, _)| **set & bit != 0) {
                write!(f, ", {name}")?;
            }
        }
        if licence.is_empty() {
            Ok(())
        } else {
            write!(f, ", {licence}")
        }
    }
}
