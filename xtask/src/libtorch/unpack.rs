//! Unpacking the parts of a wheel that are needed. Wheels are zip archives; the python3 that fetched them can read them.

use super::wheels::Keep;
use super::{SetupError, space};
use crate::context::Context;
use crate::python;
use std::path::Path;

/// Arguments: wheel, destination, then `from|pattern|to` for each rule. `*` in a pattern crosses folders.
const SCRIPT: &str = "\
import fnmatch, os, shutil, sys, zipfile
wheel, destination = sys.argv[1:3]
rules = [rule.split('|') for rule in sys.argv[3:]]
used = set()
with zipfile.ZipFile(wheel) as archive:
    for info in archive.infolist():
        for number, (source, pattern, target) in enumerate(rules):
            name = info.filename[len(source):]
            if info.is_dir() or not info.filename.startswith(source) or not fnmatch.fnmatchcase(name, pattern):
                continue
            if '..' in info.filename.split('/'):
                sys.exit('the name leaves the folder: ' + info.filename)
            path = os.path.join(destination, target + name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(info) as packed, open(path, 'wb') as file:
                shutil.copyfileobj(packed, file, 1 << 20)
            used.add(number)
            break
for number, rule in enumerate(rules):
    if number not in used:
        sys.exit('the wheel has no file ' + rule[0] + rule[1])
";

/// Unpacks what the rules keep into `destination`.
pub(crate) fn unpack(
    context: &Context,
    python: &Path,
    wheel: &Path,
    destination: &Path,
    keep: &[Keep],
) -> Result<(), SetupError> {
    let rules = keep
        .iter()
        .map(|rule| format!("{}|{}|{}", rule.from, rule.pattern, rule.to));
    let output = python::isolated(context, python, SCRIPT)
        .args([wheel, destination])
        .args(rules)
        .output()
        .map_err(SetupError::io("start", python))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains(space::NO_SPACE) {
        return Err(SetupError::DiskFull {
            folder: destination.into(),
            needed: 0,
            free: None,
        });
    }
    Err(SetupError::Unpack {
        file: wheel.to_path_buf(),
        said,
    })
}
