//! Building the example plug-ins as a third party would. Other crates' tests include this file.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The folder of `dtrp-predictors`, whichever crate of the workspace is tested.
pub(crate) fn crate_folder() -> PathBuf {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let folder = folders.find_map(|folder| Some(folder.join("dtrp-predictors")).filter(|folder| folder.is_dir()));
    folder.expect("a folder of the workspace")
}

pub(crate) fn examples() -> PathBuf {
    crate_folder().join("../examples/plugins")
}

pub(crate) fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// `cargo` on a crate, with a target folder that all tests share, inside that of the workspace.
pub(crate) fn cargo(command: &str, folder: &Path) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    run(Command::new(env!("CARGO"))
        .args([command, "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS"));
    target
}

pub(crate) fn build_rust(folder: &Path, name: &str) -> PathBuf {
    let file = format!(
        "{}{}{}",
        env::consts::DLL_PREFIX,
        name.replace('-', "_"),
        env::consts::DLL_SUFFIX
    );
    cargo("build", folder).join("debug").join(file)
}

/// Compiles one C file with all warnings as errors.
pub(crate) fn build_c(source: &Path) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = folder.path().join("libplugin.so");
    run(Command::new(env::var("CC").unwrap_or_else(|_| "cc".into()))
        .args([
            "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-I",
        ])
        .arg(crate_folder().join("include"))
        .arg("-o")
        .args([&library, source]));
    (folder, library)
}
