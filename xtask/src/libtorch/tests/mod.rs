//! Set-up as a whole, with a `python3` that hands out tiny wheels instead of asking an index.

mod failing;
mod finding;
mod racing;

use super::wheels::{Catalogue, Keep, Wheel, WheelSet};
use super::{Flavor, Ready, Request, SetupError, checksum, set_up_from};
use crate::context::Context;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Stands for python3: pip's `download` copies from `$FAKE/wheels`, or fails as `$FAKE_MODE` says; else the real python3.
const FAKE_PYTHON: &str = r#"#!/bin/sh
[ "$1 $3" = "-c download" ] || exec "$REAL_PYTHON" "$@"
shift 2
echo "$*" >> "$FAKE/calls"
for last; do :; done
while [ "$1" != "--dest" ]; do shift; done
case "$FAKE_MODE" in
  no-pip) echo "$0: No module named pip" >&2; exit 1;;
  no-network) echo "WARNING: Retrying after connection broken by NewConnectionError('x')" >&2
    echo "ERROR: No matching distribution found for $last" >&2; exit 1;;
  no-version) echo "ERROR: No matching distribution found for $last" >&2; exit 1;;
  full) echo "ERROR: [Errno 28] No space left on device" >&2; exit 1;;
  slow) touch "$FAKE/started"; exec sleep 10;;
  short-wait) sleep 0.2;;
esac
cp "$FAKE/wheels/"* "$2"
"#;

/// Writes a wheel: arguments are its path, then the names of the files in it.
const MAKE_WHEEL: &str = "\
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    for name in sys.argv[2:]:
        wheel.writestr(name, 'content of ' + name)
";

const KEEP: &[Keep] = &[
    Keep {
        from: "torch/include/",
        pattern: "*",
        to: "include/",
    },
    Keep {
        from: "torch/lib/",
        pattern: "libtorch_c*.so",
        to: "lib/",
    },
];

/// A workspace, a cache, and a python3, all in one temporary folder.
struct House {
    root: PathBuf,
    /// Removes the folder at the end; none where another house owns it.
    _owner: Option<TempDir>,
    context: Context,
    catalogue: Catalogue,
}

impl House {
    fn new() -> Self {
        let owner = tempfile::tempdir().unwrap();
        let house = Self::at(owner.path());
        Self {
            _owner: Some(owner),
            ..house
        }
    }

    /// At a given place; a second one at the same place shares everything.
    fn at(root: &Path) -> Self {
        let mut context = Context::from_process().unwrap();
        let real = context.find_program("python3").expect("these tests need python3");
        for folder in ["workspace", "bin", "fake/wheels"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let python = root.join("bin/python3");
        if !python.exists() {
            std::fs::write(&python, FAKE_PYTHON).unwrap();
            let mut chmod = Command::new("chmod");
            assert!(chmod.arg("+x").arg(&python).status().unwrap().success());
        }
        context.workspace = root.join("workspace");
        context.platform = "linux-x86_64".into();
        for name in ["LIBTORCH", "LIBTORCH_USE_PYTORCH", "XDG_CACHE_HOME"] {
            context.env.remove(std::ffi::OsStr::new(name));
        }
        let path = context.var("PATH").unwrap_or_default().to_owned();
        let bin = [root.join("bin")].into_iter().chain(std::env::split_paths(&path));
        let path = std::env::join_paths(bin).unwrap();
        let context = context
            .with_var("PATH", path)
            .with_var("REAL_PYTHON", real)
            .with_var("FAKE", root.join("fake"))
            .with_var("DTRP_CACHE_DIR", root.join("cache"));
        let lib = |name: &str| format!("torch/lib/{name}.so");
        let head = "torch/include/torch/torch.h".to_owned();
        let cpu = [
            head.clone(),
            lib("libtorch_cpu"),
            lib("libtorch_python"),
            "torch/x.py".into(),
        ];
        let cuda = [head, lib("libtorch_cpu"), lib("libtorch_cuda")];
        let cpu = set(
            root,
            Flavor::Cpu,
            "tiny",
            &cpu,
            &[("lib/libtorch.so", "libtorch_cpu.so")],
        );
        let cuda = set(root, Flavor::Cuda, "tiny-cuda", &cuda, &[]);
        Self {
            root: root.to_path_buf(),
            _owner: None,
            context,
            catalogue: Catalogue { cpu, cuda },
        }
    }

    fn mode(mut self, mode: &str) -> Self {
        self.context = self.context.with_var("FAKE_MODE", mode);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn set_up(&self, request: Request) -> Result<Ready, SetupError> {
        set_up_from(&self.context, request, &self.catalogue)
    }

    /// The error's whole text, with the temporary folder written as `ROOT`.
    fn error(&self, request: Request) -> String {
        let text = self.set_up(request).unwrap_err().to_string();
        text.replace(&self.root.display().to_string(), "ROOT")
    }

    fn pip_calls(&self) -> usize {
        std::fs::read_to_string(self.path("fake/calls"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// What lies in the cache, by name.
    fn cached(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("cache")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn set(
    root: &Path,
    flavor: Flavor,
    name: &'static str,
    files: &[String],
    links: &'static [(&'static str, &'static str)],
) -> WheelSet {
    let file = format!("{name}-1.0-py3-none-manylinux_2_28_x86_64.manylinux2014_x86_64.whl");
    let path = root.join("fake/wheels").join(&file);
    if !path.exists() {
        let mut make = Command::new("python3");
        assert!(
            make.args(["-I", "-c", MAKE_WHEEL])
                .arg(&path)
                .args(files)
                .status()
                .unwrap()
                .success()
        );
    }
    let sha256 = checksum::sha256(&path).unwrap().leak();
    let wheel = Wheel {
        name,
        version: "1.0",
        file: file.leak(),
        bytes: 1000,
        sha256,
        keep: KEEP,
    };
    let folder = format!("libtorch-{flavor}");
    WheelSet {
        flavor,
        folder,
        inside: "",
        wheels: vec![wheel],
        links,
        kept_bytes: 1000,
    }
}

fn want(flavor: Flavor) -> Request {
    Request {
        flavor: Some(flavor),
        force: false,
    }
}

const FORCE: Request = Request {
    flavor: None,
    force: true,
};
