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

/// The SDK of this working tree, as a Cargo.toml names it.
pub(crate) fn path_source() -> String {
    format!("path = \"{}\"", crate_folder().display())
}

/// What a new plug-in starts from, filled in as `templates/README.md` says. Later folders replace files of earlier ones.
pub(crate) fn from_template(folders: &[&str], name: &str, source: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for from in folders {
        fill_in(
            &crate_folder().join("templates").join(from),
            folder.path(),
            name,
            source,
        );
    }
    if folders.contains(&"rust") {
        // The versions that the examples use, which are those of the workspace: nothing to look up.
        let lock = examples().join("linear-rule/Cargo.lock");
        let lock = std::fs::read_to_string(lock)
            .expect("a lock file")
            .replace("linear-rule", name);
        std::fs::write(folder.path().join("Cargo.lock"), lock).expect("a new file");
    }
    folder
}

fn fill_in(from: &Path, to: &Path, name: &str, source: &str) {
    for entry in std::fs::read_dir(from).expect("a template folder") {
        let path = entry.expect("a file").path();
        let file = path.file_name().and_then(|f| f.to_str()).expect("a name");
        if path.is_dir() {
            std::fs::create_dir_all(to.join(file)).expect("a folder");
            fill_in(&path, &to.join(file), name, source);
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .expect("text")
            .replace("{{name}}", name)
            .replace("{{library}}", &name.replace('-', "_"))
            .replace("{{source}}", source)
            .replace("{{dtrp}}", &crate_folder().display().to_string());
        assert!(!text.contains("{{"), "{}: an unknown placeholder", path.display());
        let file = file.strip_suffix(".in").expect("a name that ends in .in");
        std::fs::write(to.join(file.replace("gitignore", ".gitignore")), text).expect("a new file");
    }
}
