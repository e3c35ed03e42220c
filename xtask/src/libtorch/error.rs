//! Why set-up failed: what, where, what to do.

use super::{Flavor, VERSION};
use crate::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// An error of set-up. All have exit code 3.
#[derive(Debug)]
pub(crate) enum SetupError {
    /// The folder in `LIBTORCH` is no libtorch of the right version and kind.
    BadUserFolder { folder: PathBuf, problem: String },
    /// `LIBTORCH_USE_PYTORCH` is set and there is no PyTorch of the right version and kind.
    BadPyTorch { problem: String },
    /// The cache holds a folder that is not as it must be.
    BadCache { folder: PathBuf, problem: String },
    /// There are no wheels for this platform.
    Platform { platform: String },
    /// No folder for the cache is known.
    NoCacheFolder,
    /// There is no `python3`.
    NoPython,
    /// The `python3` has no pip.
    NoPip { python: PathBuf },
    /// pip could not reach its index.
    NoNetwork { wheel: String, said: String },
    /// pip failed otherwise.
    Pip { wheel: String, said: String },
    /// The disk is too full.
    DiskFull {
        folder: PathBuf,
        needed: u64,
        free: Option<u64>,
    },
    /// A wheel is not the one pinned in xtask.
    Checksum {
        file: PathBuf,
        expected: String,
        found: String,
    },
    /// A wheel could not be unpacked.
    Unpack { file: PathBuf, said: String },
    /// `.libtorch` is in the way.
    LinkInTheWay { link: PathBuf },
    /// The system refused something.
    Io { what: String, source: std::io::Error },
}

impl SetupError {
    /// For `map_err`: an I/O error with what was being done; a full disk has its own message.
    pub(crate) fn io(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let (path, what) = (path.to_path_buf(), what.to_owned());
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull => Self::DiskFull {
                folder: path,
                needed: 0,
                free: None,
            },
            _ => Self::Io {
                what: format!("{what} {}", path.display()),
                source,
            },
        }
    }

    /// What happened and where, and what to do about it.
    fn parts(&self) -> (String, String) {
        let own = format!("or set LIBTORCH to the folder of a libtorch {VERSION} that you have");
        match self {
            Self::BadUserFolder { folder, problem } => (
                format!("LIBTORCH is set to {}, and {problem}", folder.display()),
                format!(
                    "set LIBTORCH to the full path of a folder with the lib and include of libtorch {VERSION}, or unset \
                     it to let `cargo xtask setup` provide one"
                ),
            ),
            Self::BadPyTorch { problem } => (
                format!("LIBTORCH_USE_PYTORCH is set, and {problem}"),
                format!(
                    "install it (`python3 -m pip install torch=={VERSION}`), or unset LIBTORCH_USE_PYTORCH to let \
                     `cargo xtask setup` provide libtorch"
                ),
            ),
            Self::BadCache { folder, problem } => (
                format!("the libtorch in {} is not usable: {problem}", folder.display()),
                "run `cargo xtask setup --force`, which fetches it again".into(),
            ),
            Self::Platform { platform } => (
                format!("libtorch can be fetched for linux-x86_64 only, and this is {platform}"),
                format!(
                    "set LIBTORCH to the folder of a libtorch {VERSION}, or install PyTorch {VERSION} and set \
                     LIBTORCH_USE_PYTORCH=1"
                ),
            ),
            Self::NoCacheFolder => (
                "no folder for libtorch is known: DTRP_CACHE_DIR, XDG_CACHE_HOME and HOME are not set".into(),
                "set DTRP_CACHE_DIR to a folder with room".into(),
            ),
            Self::NoPython => (
                "python3 is not on the PATH; libtorch is fetched with its pip".into(),
                format!("install it (Debian and Ubuntu: `apt-get install python3 python3-pip`), {own}"),
            ),
            Self::NoPip { python } => (
                format!("{} has no pip; libtorch is fetched with it", python.display()),
                format!("install it (Debian and Ubuntu: `apt-get install python3-pip`), {own}"),
            ),
            Self::NoNetwork { wheel, said } => (
                format!(
                    "pip could not reach the package index for {wheel}. pip said:\n{}",
                    quote(said)
                ),
                format!("check the network and pip's settings (`python3 -m pip config list`) and run it again, {own}"),
            ),
            Self::Pip { wheel, said } => (
                format!("pip could not download {wheel}. pip said:\n{}", quote(said)),
                format!("check pip's settings (`python3 -m pip config list`) and run it again, {own}"),
            ),
            Self::DiskFull { folder, needed, free } => {
                let mut what = format!("the disk is too full: {}", folder.display());
                if let Some(free) = free {
                    what += &format!(" has {} free, and set-up needs {}", mb(*free), mb(*needed));
                }
                (
                    what,
                    "free some space, or set DTRP_CACHE_DIR to a folder on another disk".into(),
                )
            }
            Self::Checksum { file, expected, found } => (
                format!(
                    "{} is not the file that xtask expects\n    SHA-256 expected: {expected}\n    SHA-256 found:    {found}",
                    file.display()
                ),
                format!(
                    "run it again in case the download was damaged; if it stays so, do not trust the package index in \
                     pip's settings, {own}"
                ),
            ),
            Self::Unpack { file, said } => (
                format!(
                    "{} could not be unpacked. python3 said:\n{}",
                    file.display(),
                    quote(said)
                ),
                format!("run it again, {own}"),
            ),
            Self::LinkInTheWay { link } => (
                format!("{} is neither a link nor a usable libtorch", link.display()),
                "move it away and run it again".into(),
            ),
            Self::Io { what, source } => (
                format!("could not {what}: {source}"),
                "check that the folder exists and that you may write to it, or set DTRP_CACHE_DIR to another one"
                    .into(),
            ),
        }
    }
}

impl From<SetupError> for Error {
    fn from(error: SetupError) -> Self {
        Self::Setup(error.to_string())
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, todo) = self.parts();
        write!(f, "error: {what}\n  what to do: {todo}")
    }
}

/// A number of bytes as people say it.
pub(crate) fn mb(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The wrong kind of libtorch, in words.
pub(crate) fn wrong_flavor(wanted: Flavor) -> String {
    match wanted {
        Flavor::Cpu => "it is a CUDA build where the CPU's is asked for".into(),
        Flavor::Cuda => "it has no lib/libtorch_cuda.so, which --cuda asks for".into(),
    }
}

fn quote(said: &str) -> String {
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(8)..];
    let last: Vec<_> = last.iter().map(|line| format!("    {line}")).collect();
    last.join("\n")
}
