//! `cargo xtask gpu-bundle`: a folder that checks and measures dtrp wherever there is an NVIDIA GPU.
//!
//! It holds `dtrp` and `dtrp-gpu-check`, linked with the CUDA libtorch and stripped, and a script; the machine that it is carried
//! to has a driver and a Python with PyTorch, whose libtorch the programs use. Neither a GPU nor a driver is needed to make it. The
//! libtorch in use (`.libtorch`) stays as it is: the CUDA one lies in the cache, and what is built with it in a target folder of
//! its own.

use crate::cargo;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::libtorch::{self, Flavor};
use std::fs;
use std::path::{Path, PathBuf};

/// The most that the folder may hold, in bytes: it is carried over slow lines.
const LIMIT: u64 = 60_000_000;

/// The scripts, as they lie in the repository.
const SCRIPTS: [&str; 3] = ["run.py", "networks.py", "pytorch.py"];

/// The program that compares runs on a GPU with runs on the CPU.
const GPU_CHECK: &str = "dtrp-gpu-check";

/// What is carried: packages, and the programs that they are.
const PROGRAMS: [(&str, &str); 2] = [("dtrp-cli", "dtrp"), (GPU_CHECK, GPU_CHECK)];

/// Where the folder is made unless another is named.
pub(crate) fn folder(context: &Context) -> PathBuf {
    context.workspace.join("target/gpu-bundle")
}

/// Makes the folder `output`, or makes it anew.
pub(crate) fn run(context: &Context, output: Option<&Path>) -> Result<()> {
    let output = output.map_or_else(|| folder(context), Path::to_path_buf);
    let libtorch = libtorch::provide(context, Flavor::Cuda)?;
    let context = &context.with_var("LIBTORCH", &libtorch);
    let programs: Vec<_> = PROGRAMS
        .iter()
        .map(|program| build(context, program))
        .collect::<Result<_>>()?;
    clear(&output)?;
    make_folder(&output.join("bin"))?;
    for (program, (_, name)) in programs.iter().zip(PROGRAMS) {
        copy(program, &output.join("bin").join(name))?;
    }
    let scripts = context.workspace.join("xtask/gpu-bundle");
    for script in SCRIPTS {
        copy(&scripts.join(script), &output.join(script))?;
    }
    copy_folder(&context.workspace.join("configs"), &output.join("configs"))?;
    plugins(context, &output)?;
    let checks = checks(context, &output.join("bin").join(GPU_CHECK), &libtorch)?;
    fs::write(output.join("checks.txt"), checks).map_err(Error::io("write checks.txt"))?;
    let bytes = size(&output)?;
    if bytes > LIMIT {
        return Err(Error::Check(format!(
            "{} holds {bytes} bytes, more than the {LIMIT} that it may",
            output.display()
        )));
    }
    println!(
        "{} is ready ({:.1} MB); carry it to a machine with an NVIDIA driver and PyTorch 2.11 (cu130), and run there",
        output.display(),
        bytes as f64 / 1e6
    );
    println!("  python3 run.py");
    Ok(())
}

/// Builds a stripped program, and makes sure that it asks for the CUDA library: linkers drop what they think is unused.
fn build(context: &Context, (package, name): &(&str, &str)) -> Result<PathBuf> {
    let mut cargo = context.cargo();
    let target = context.workspace.join("target/cuda");
    cargo
        .args(["build", "--release", "--package", package, "--bin", name])
        .args(["--config", "profile.release.strip=true"])
        .arg("--target-dir")
        .arg(&target);
    cargo::run(&mut cargo)?;
    let program = target.join("release").join(name);
    let mut readelf = context.command("readelf");
    readelf.arg("--dynamic").arg(&program);
    let needed = cargo::read(&mut readelf)?;
    if needed.contains("[libtorch_cuda.so]") {
        return Ok(program);
    }
    Err(Error::Check(format!(
        "{} does not ask for libtorch_cuda.so; it would see no GPU",
        program.display()
    )))
}

/// The names of the checks, for machines on which the program cannot start.
fn checks(context: &Context, program: &Path, libtorch: &Path) -> Result<String> {
    let context = context.with_var("LD_LIBRARY_PATH", libtorch.join("lib"));
    let mut list = context.command(program);
    list.arg("--list");
    cargo::read(&mut list)
}

/// The example predictors: for host memory as a library, for device memory as a source, since that takes `nvcc`.
fn plugins(context: &Context, output: &Path) -> Result<()> {
    let examples = context.workspace.join("examples/plugins");
    let include = context.workspace.join("dtrp-predictors/include");
    let folder = output.join("plugins");
    make_folder(&folder)?;
    let mut compiler = context.command("cc");
    compiler
        .args(["-std=c11", "-O2", "-fPIC", "-shared", "-Wall", "-I"])
        .arg(&include)
        .arg("-o")
        .arg(folder.join("liblookahead.so"))
        .arg(examples.join("c-lookahead/lookahead.c"))
        .arg("-lm");
    cargo::run(&mut compiler)?;
    copy_folder(&examples.join("cuda-lookahead"), &folder.join("cuda-lookahead"))?;
    copy(
        &include.join("dtrp_predictor.h"),
        &folder.join("cuda-lookahead/dtrp_predictor.h"),
    )
}

/// Removes what an earlier call has made, and nothing that somebody else has.
fn clear(output: &Path) -> Result<()> {
    if !output.exists() {
        return Ok(());
    }
    let ours = output.join("bin/dtrp").is_file() || is_empty(output);
    if !ours {
        return Err(Error::Usage(format!(
            "{} is no bundle of an earlier call; name a folder that is not there",
            output.display()
        )));
    }
    fs::remove_dir_all(output).map_err(Error::io(format!("remove {}", output.display())))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io(format!("make the folder {}", path.display())))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .map_err(Error::io(format!("copy {}", from.display())))
}

/// Copies the files of a folder; it has no folders inside.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    make_folder(to)?;
    for path in files(from)? {
        if let Some(name) = path.file_name() {
            copy(&path, &to.join(name))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || Error::io(format!("read {}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(read())? {
        let path = entry.map_err(read())?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64> {
    let read = || Error::io(format!("read {}", folder.display()));
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(read())? {
        let entry = entry.map_err(read())?;
        let kind = entry.file_type().map_err(read())?;
        bytes += if kind.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata().map_err(read())?.len()
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bundles_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle");
        clear(&bundle).unwrap();
        fs::create_dir(&bundle).unwrap();
        clear(&bundle).unwrap();
        assert!(!bundle.exists());
        fs::create_dir_all(bundle.join("bin")).unwrap();
        fs::write(bundle.join("bin/dtrp"), "12345").unwrap();
        assert_eq!(size(&bundle).unwrap(), 5);
        clear(&bundle).unwrap();
        assert!(!bundle.exists());
        fs::create_dir(&bundle).unwrap();
        fs::write(bundle.join("thesis.tex"), "years of work").unwrap();
        assert!(clear(&bundle).is_err());
        assert!(bundle.join("thesis.tex").exists());
    }
}
