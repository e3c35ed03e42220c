//! What a set of wheels is, and what is kept of each. The pinned ones are in `pinned.rs`.

use super::{Flavor, pinned};

/// One wheel.
#[derive(Debug, Clone)]
pub(crate) struct Wheel {
    /// Its project.
    pub(crate) name: &'static str,
    /// Its exact version.
    pub(crate) version: &'static str,
    /// Its file name.
    pub(crate) file: &'static str,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub(crate) sha256: &'static str,
    /// What is kept of it.
    pub(crate) keep: &'static [Keep],
}

impl Wheel {
    /// The platform tags in its file name: `…-none-TAG.TAG.whl`.
    pub(crate) fn platforms(&self) -> impl Iterator<Item = &'static str> {
        let stem = self.file.strip_suffix(".whl").unwrap_or(self.file);
        stem.rsplit('-').next().unwrap_or_default().split('.')
    }
}

/// Files `from` + a name that matches `pattern` go to `to` + that name.
#[derive(Debug)]
pub(crate) struct Keep {
    /// The folder in the wheel, with its slash.
    pub(crate) from: &'static str,
    /// A shell pattern for the rest of the name; `*` crosses folders.
    pub(crate) pattern: &'static str,
    /// The folder to put it in, with its slash.
    pub(crate) to: &'static str,
}

/// The wheels that make one libtorch.
#[derive(Debug, Clone)]
pub(crate) struct WheelSet {
    /// Its kind.
    pub(crate) flavor: Flavor,
    /// Its folder in the cache.
    pub(crate) folder: String,
    /// The libtorch in that folder: `""` or a folder in it.
    pub(crate) inside: &'static str,
    /// The wheels.
    pub(crate) wheels: Vec<Wheel>,
    /// Links to add: name, target.
    pub(crate) links: &'static [(&'static str, &'static str)],
    /// Size of all that is kept.
    pub(crate) kept_bytes: u64,
}

impl WheelSet {
    /// Disk space that set-up needs: what is kept and the largest wheel twice (pip copies it to where it is wanted).
    pub(crate) fn peak_bytes(&self) -> u64 {
        let largest = self.wheels.iter().map(|wheel| wheel.bytes).max().unwrap_or(0);
        self.kept_bytes + 2 * largest + 100_000_000
    }
}

/// Both sets.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue {
    /// For the CPU.
    pub(crate) cpu: WheelSet,
    /// For NVIDIA GPUs.
    pub(crate) cuda: WheelSet,
}

impl Catalogue {
    /// The sets that this version of the project uses.
    pub(crate) fn pinned() -> Self {
        Self {
            cpu: pinned::cpu(),
            cuda: pinned::cuda(),
        }
    }

    /// The set of one kind.
    pub(crate) fn set(&self, flavor: Flavor) -> &WheelSet {
        match flavor {
            Flavor::Cpu => &self.cpu,
            Flavor::Cuda => &self.cuda,
        }
    }
}
