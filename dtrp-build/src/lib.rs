//! For build scripts: where libtorch is, and how a program is linked with it.
//!
//! A program finds libtorch when it starts only if its path was written into it, and cargo lets nobody but the program's own
//! crate do that. So every crate that has programs, tests or examples made with dtrp has a `build.rs`, which is
//!
//! ```text
//! fn main() {
//!     dtrp_build::link_libtorch();
//! }
//! ```
//!
//! and in its `Cargo.toml` this crate under `[build-dependencies]`. libtorch itself is the one in the variable `LIBTORCH`, as
//! for `tch`; it may stand in the `[env]` table of `.cargo/config.toml`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// The libtorch that the `tch` of this workspace speaks to.
const VERSION: &str = "2.11";

/// A libtorch folder that has what is needed to build with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libtorch {
    root: PathBuf,
}

/// Why nothing can be built with the libtorch in `LIBTORCH`. Its text says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LibtorchError {
    /// `LIBTORCH` is not set.
    Unset,
    /// It is no full path. Every crate's build script runs in a folder of its own, so it would mean another place to each.
    Relative(PathBuf),
    /// This is missing in the folder.
    Missing {
        /// The folder in `LIBTORCH`.
        root: PathBuf,
        /// What is not in it.
        part: &'static str,
    },
    /// It is another version.
    Version {
        /// The folder in `LIBTORCH`.
        root: PathBuf,
        /// What it says of itself.
        version: String,
    },
}

impl fmt::Display for LibtorchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("LIBTORCH is not set")?,
            Self::Relative(root) => write!(f, "LIBTORCH is `{}`, which is not a full path", root.display())?,
            Self::Missing { root, part } => write!(f, "no libtorch in {} (no {part} there)", root.display())?,
            Self::Version { root, version } => write!(f, "the libtorch in {} is {version}", root.display())?,
        }
        write!(
            f,
            ": set LIBTORCH to the full path of a libtorch {VERSION}; in the folder of dtrp, `cargo xtask setup` provides one"
        )
    }
}

impl std::error::Error for LibtorchError {}

/// Tells the linker of this crate's programs, tests and examples where libtorch lies, when they are linked and when they
/// start, and to keep it even where nothing of it seems to be used.
///
/// The libraries of CUDA register themselves when they are loaded; no symbol of them is named anywhere. A linker that drops
/// what nobody names would drop CUDA without a word, so `--no-as-needed` stands before them.
///
/// Where there is no libtorch the build ends with an error that says so, and the result is `None`.
pub fn link_libtorch() -> Option<Libtorch> {
    let libtorch = find_libtorch()?;
    for line in libtorch.instructions() {
        println!("{line}");
    }
    Some(libtorch)
}

/// The libtorch in `LIBTORCH`, for a build script that compiles against it; nothing is linked.
///
/// Where there is none the build ends with an error that says so, and the result is `None`.
pub fn find_libtorch() -> Option<Libtorch> {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    match Libtorch::at(env::var_os("LIBTORCH")) {
        Ok(libtorch) => Some(libtorch),
        Err(error) => {
            println!("cargo::error={error}");
            None
        }
    }
}

impl Libtorch {
    /// What the value of `LIBTORCH` leads to.
    ///
    /// # Errors
    ///
    /// [`LibtorchError`] when that is nothing to build with.
    pub fn at(variable: Option<OsString>) -> Result<Self, LibtorchError> {
        let root = variable.filter(|root| !root.is_empty()).map(PathBuf::from);
        let root = root.ok_or(LibtorchError::Unset)?;
        if root.is_relative() {
            return Err(LibtorchError::Relative(root));
        }
        for part in ["include/torch", "lib/libtorch.so", "lib/libtorch_cpu.so"] {
            if !root.join(part).exists() {
                return Err(LibtorchError::Missing { root, part });
            }
        }
        match version(&root) {
            Some(version) if !is_right(&version) => Err(LibtorchError::Version { root, version }),
            _ => Ok(Self { root }),
        }
    }

    /// Where headers are looked for.
    pub fn include_folders(&self) -> [PathBuf; 2] {
        ["include", "include/torch/csrc/api/include"].map(|folder| self.root.join(folder))
    }

    /// Where the libraries lie.
    pub fn lib_folder(&self) -> PathBuf {
        self.root.join("lib")
    }

    /// Whether it has the libraries for NVIDIA GPUs.
    pub fn has_cuda(&self) -> bool {
        self.lib_folder().join("libtorch_cuda.so").exists()
    }

    /// What [`link_libtorch`] tells cargo.
    fn instructions(&self) -> Vec<String> {
        let lib = self.lib_folder();
        let lib = lib.display();
        let mut lines = vec![
            format!("cargo::rerun-if-changed={lib}"),
            format!("cargo::rustc-link-search=native={lib}"),
            format!("cargo::rustc-link-arg=-Wl,-rpath,{lib}"),
            "cargo::rustc-link-arg=-Wl,--no-as-needed".to_owned(),
        ];
        if self.has_cuda() {
            lines.push("cargo::rustc-link-arg=-ltorch_cuda".to_owned());
        }
        lines.push("cargo::rustc-link-arg=-ltorch".to_owned());
        lines
    }
}

/// What the folder says of itself: libtorch in `build-version`, an installed PyTorch in `version.py`.
fn version(root: &Path) -> Option<String> {
    if let Ok(text) = std::fs::read_to_string(root.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = std::fs::read_to_string(root.join("version.py")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim().trim_matches(['\'', '"']).to_owned())
}

/// Whether a version, such as `2.11.0+cpu`, is the right one.
fn is_right(version: &str) -> bool {
    let rest = version.strip_prefix(VERSION);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '+']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder with these files in it, and the value of `LIBTORCH` that names it.
    fn folder(files: &[&str]) -> (tempfile::TempDir, Option<OsString>) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let variable = folder.path().as_os_str().to_owned();
        (folder, Some(variable))
    }

    const WHOLE: [&str; 3] = ["include/torch/torch.h", "lib/libtorch.so", "lib/libtorch_cpu.so"];

    #[test]
    fn every_error_says_what_to_do() {
        let check = |variable: Option<OsString>, wanted: &str| {
            let told = Libtorch::at(variable).unwrap_err().to_string();
            assert!(told.contains(wanted), "{told}");
            assert!(
                told.contains("set LIBTORCH to the full path of a libtorch 2.11"),
                "{told}"
            );
        };
        check(None, "LIBTORCH is not set");
        check(Some(OsString::new()), "LIBTORCH is not set");
        check(Some("libtorch".into()), "`libtorch`, which is not a full path");
        let (_empty, variable) = folder(&[]);
        check(variable, "no include/torch there");
        let (_half, variable) = folder(&WHOLE[..2]);
        check(variable, "no lib/libtorch_cpu.so there");
        for (file, text) in [
            ("build-version", "2.1.0+cpu\n"),
            ("version.py", "__version__ = '2.10.0'\n"),
        ] {
            let (other, variable) = folder(&WHOLE);
            fs::write(other.path().join(file), text).unwrap();
            check(variable, " is 2.1");
        }
    }

    #[test]
    fn cuda_is_kept_where_there_is_one() {
        let (cpu, variable) = folder(&WHOLE);
        fs::write(cpu.path().join("build-version"), "2.11.0+cpu").unwrap();
        let libtorch = Libtorch::at(variable).unwrap();
        assert!(!libtorch.has_cuda());
        let rpath = format!("cargo::rustc-link-arg=-Wl,-rpath,{}/lib", cpu.path().display());
        assert!(libtorch.instructions().contains(&rpath));
        let (_cuda, variable) = folder(&[&WHOLE[..], &["lib/libtorch_cuda.so"]].concat());
        let lines = Libtorch::at(variable).unwrap().instructions();
        let place = |word: &str| lines.iter().position(|line| line.ends_with(word));
        assert!(place("--no-as-needed").unwrap() < place("-ltorch_cuda").unwrap());
    }

    #[test]
    fn versions() {
        assert!(is_right("2.11") && is_right("2.11.0") && is_right("2.11.1+cu130"));
        assert!(!is_right("2.1.1") && !is_right("2.110.0") && !is_right("12.11"));
    }
}
