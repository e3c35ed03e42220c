//! `cargo xtask test --peers`: the tests that compare dtrp with programs of others, in a Python environment of their own.

use crate::cargo;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::libtorch::cache::{self, Temporary};
use crate::tally::Tally;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// What is compared with.
const PACKAGES: [&str; 8] = [
    "jsonschema==4.26.0",
    "numpy==2.4.6",
    "pandas==3.1.1",
    "pillow==13.0.0",
    "safetensors==0.8.0",
    "tensorboard==2.21.0",
    "torch==2.11.0",
    "torchvision==0.26.0",
];

/// Where such tests are. Their names hold `peers`, and they are ignored otherwise.
const CRATES: [&str; 2] = ["dtrp-cli", "dtrp-models"];

/// Names the Python to the tests.
const VARIABLE: &str = "DTRP_PEERS_PYTHON";

/// Makes the environment where it is missing, and runs the tests.
pub(crate) fn run(context: &Context, tally: &mut Tally) -> Result<()> {
    let mut tests = context.with_var(VARIABLE, environment(context)?).cargo();
    tests
        .arg("test")
        .args(CRATES.iter().flat_map(|name| ["--package", name]));
    tests.args([
        "--lib",
        "--bins",
        "--tests",
        "--no-fail-fast",
        "--",
        "--ignored",
        "peers",
    ]);
    cargo::count_tests(&mut tests, tally)
}

/// The Python of an environment with these packages, in the cache: there as a whole or not at all.
fn environment(context: &Context) -> Result<PathBuf> {
    let cache = cache::folder(context)?;
    let folder = cache.join(format!("peers-{}", of_these_packages()));
    let python = |folder: &PathBuf| folder.join("bin/python");
    if python(&folder).is_file() {
        return Ok(python(&folder));
    }
    let system = context.find_program("python3").ok_or_else(|| {
        let text = "error: python3 is not on the PATH; the packages that dtrp is compared with need it\n  \
                    what to do: install it (Debian and Ubuntu: `apt-get install python3 python3-venv`)";
        Error::Setup(text.to_owned())
    })?;
    let _lock = cache::lock(&cache)?;
    if python(&folder).is_file() {
        return Ok(python(&folder));
    }
    eprintln!(
        "installing {} into {} (once; 5 GB)",
        PACKAGES.join(", "),
        folder.display()
    );
    let temporary = Temporary::new(&cache)?;
    let made = temporary.folder("peers")?;
    cargo::run(context.command(system).args(["-m", "venv"]).arg(&made))?;
    let mut pip = context.command(python(&made));
    pip.args([
        "-m",
        "pip",
        "install",
        "-q",
        "--no-input",
        "--disable-pip-version-check",
    ]);
    cargo::run(pip.args(PACKAGES))?;
    let put = std::fs::rename(&made, &folder);
    put.map_err(Error::io(format!("make the folder {}", folder.display())))?;
    Ok(python(&folder))
}

/// Another list has another environment.
fn of_these_packages() -> String {
    let digest = Sha256::digest(PACKAGES.join(" "));
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Stands for python3: makes an environment whose Python is itself; as its pip it fails as long as there is `$BROKEN`.
    const FAKE: &str = r#"#!/bin/sh
echo "$*" >> "$CALLS"
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python";;
  "-m pip") [ ! -e "$BROKEN" ];;
esac
"#;

    #[test]
    fn the_environment_is_made_once_and_whole() {
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str| root.path().join(name);
        std::fs::create_dir(place("bin")).unwrap();
        std::fs::write(place("bin/python3"), FAKE).unwrap();
        std::fs::set_permissions(place("bin/python3"), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(place("broken"), "").unwrap();
        let context = Context::from_process().unwrap();
        let path = std::env::join_paths([place("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
        let mut context = context.with_var("PATH", path);
        for (name, file) in [("DTRP_CACHE_DIR", "cache"), ("CALLS", "calls"), ("BROKEN", "broken")] {
            context = context.with_var(name, place(file));
        }
        let left = || {
            let entries = std::fs::read_dir(place("cache")).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name != "setup.lock").collect::<Vec<_>>()
        };
        assert!(environment(&context).is_err());
        assert!(left().is_empty(), "{:?}", left());
        std::fs::remove_file(place("broken")).unwrap();
        let python = environment(&context).unwrap();
        assert_eq!(environment(&context).unwrap(), python);
        assert!(python.starts_with(place("cache").join(&left()[0])) && left().len() == 1);
        let calls = std::fs::read_to_string(place("calls")).unwrap();
        assert_eq!(calls.matches("-m venv").count(), 2, "{calls}");
        assert!(PACKAGES.iter().all(|package| calls.contains(package)), "{calls}");
    }
}
