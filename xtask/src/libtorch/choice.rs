//! Whose libtorch is used: the user's own folder, the PyTorch of python3, or one that set-up provides.

use super::error::wrong_flavor;
use super::{Flavor, SetupError, VERSION, check};
use crate::context::Context;
use crate::python;
use std::path::{Path, PathBuf};

/// Whose libtorch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The folder named by `LIBTORCH`.
    User(PathBuf),
    /// The PyTorch of python3, since `LIBTORCH_USE_PYTORCH` is set.
    PyTorch,
    /// What is linked, in the cache, or fetched.
    Own,
}

/// Reads the choice from the environment.
pub(crate) fn choose(context: &Context) -> Choice {
    if let Some(folder) = context.var("LIBTORCH").map(Path::new)
        && !is_link(context, folder)
    {
        return Choice::User(folder.to_path_buf());
    }
    // The build script of torch-sys takes any value for a yes, "0" too; to differ from it would be worse than odd.
    if context
        .env
        .contains_key("LIBTORCH_USE_PYTORCH".as_ref() as &std::ffi::OsStr)
    {
        return Choice::PyTorch;
    }
    Choice::Own
}

/// `[env]` in `.cargo/config.toml` sets `LIBTORCH` to the link where the user has set none.
fn is_link(context: &Context, folder: &Path) -> bool {
    let resolve = |path: &Path| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    folder == context.link() || resolve(folder).is_some_and(|f| Some(f) == resolve(&context.link()))
}

/// Prints version and folder of the torch package without importing it, which would take seconds.
const WHERE_IS_TORCH: &str = "\
import importlib.metadata, importlib.util
spec = importlib.util.find_spec('torch')
if spec is None or not spec.submodule_search_locations:
    raise SystemExit('no torch')
print(importlib.metadata.version('torch'))
print(list(spec.submodule_search_locations)[0])
";

/// The folder of the PyTorch that python3 has.
pub(crate) fn ask_python(context: &Context, wanted: Option<Flavor>) -> Result<PathBuf, SetupError> {
    let bad = |problem: String| SetupError::BadPyTorch { problem };
    let python = context.find_program("python3").ok_or(SetupError::NoPython)?;
    let output = python::with_packages(context, &python, WHERE_IS_TORCH)
        .output()
        .map_err(SetupError::io("start", &python))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let (Some(version), Some(folder), true) = (lines.next(), lines.next(), output.status.success()) else {
        return Err(bad(format!("{} has no PyTorch", python.display())));
    };
    if !check::is_right_version(version) {
        return Err(bad(format!(
            "{} has PyTorch {version}, where {VERSION} is needed",
            python.display()
        )));
    }
    let folder = PathBuf::from(folder);
    let flavor = check::check(&folder)
        .map_err(|problem| bad(format!("its PyTorch in {} is not usable: {problem}", folder.display())))?;
    if wanted == Some(Flavor::Cuda) && flavor == Flavor::Cpu {
        return Err(bad(format!(
            "of its PyTorch in {}: {}",
            folder.display(),
            wrong_flavor(Flavor::Cuda)
        )));
    }
    Ok(folder)
}
