//! `pip download` of one wheel, with its progress in plain lines.

use super::error::mb;
use super::wheels::Wheel;
use super::{SetupError, space};
use crate::context::Context;
use crate::python;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Downloads `wheel` into `folder` and returns its path. `scratch` is for pip's own temporary files: they are then on
/// the disk whose space was checked, and vanish with the rest should everything be killed.
pub(crate) fn download(
    context: &Context,
    python: &Path,
    wheel: &Wheel,
    folder: &Path,
    scratch: &Path,
) -> Result<PathBuf, SetupError> {
    let log = scratch.join("pip.log");
    let open = || File::create(&log).map_err(SetupError::io("write", &log));
    let out = open()?;
    let err = out.try_clone().map_err(SetupError::io("write", &log))?;
    let mut pip = python::module(context, python, "pip");
    pip.args(["download", "-q", "--no-input", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--no-deps", "--only-binary=:all:"])
        .args(["--python-version", "3.12"])
        // pip does not count an older tag as included in a newer one: name those of the wheel itself.
        .args(wheel.platforms().flat_map(|tag| ["--platform", tag]))
        .arg("--dest")
        .arg(folder)
        .arg(format!("{}=={}", wheel.name, wheel.version))
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    let mut child = pip.spawn().map_err(SetupError::io("start", python))?;
    let mut progress = Progress::new(wheel.bytes);
    let status = loop {
        match child.try_wait().map_err(SetupError::io("wait for", python))? {
            Some(status) => break status,
            None => progress.tick(|| size(folder) + size(scratch)),
        }
    };
    progress.finish();
    let file = folder.join(wheel.file);
    if status.success() && file.is_file() {
        return Ok(file);
    }
    let said = std::fs::read(&log).unwrap_or_default();
    Err(explain(python, wheel, folder, &String::from_utf8_lossy(&said)))
}

/// Which error it is, from what pip said.
fn explain(python: &Path, wheel: &Wheel, folder: &Path, said: &str) -> SetupError {
    const NETWORK: [&str; 7] = [
        "NewConnectionError",
        "Failed to establish a new connection",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "ProxyError",
        "timed out",
        "Max retries exceeded",
    ];
    let (name, said) = (format!("{} {}", wheel.name, wheel.version), said.to_owned());
    if said.contains("No module named pip") {
        SetupError::NoPip {
            python: python.to_path_buf(),
        }
    } else if said.contains(space::NO_SPACE) {
        SetupError::DiskFull {
            folder: folder.to_path_buf(),
            needed: 0,
            free: None,
        }
    } else if NETWORK.iter().any(|sign| said.contains(sign)) {
        SetupError::NoNetwork { wheel: name, said }
    } else if said.trim().is_empty() {
        SetupError::Pip {
            wheel: name,
            said: format!("(nothing, and {} is missing)", wheel.file),
        }
    } else {
        SetupError::Pip { wheel: name, said }
    }
}

/// Says how far the download is: often on a terminal, now and then elsewhere.
struct Progress {
    total: u64,
    start: Instant,
    said: Instant,
    terminal: bool,
    open_line: bool,
}

impl Progress {
    fn new(total: u64) -> Self {
        let (start, terminal) = (Instant::now(), std::io::stderr().is_terminal());
        Self {
            total,
            start,
            said: start,
            terminal,
            open_line: false,
        }
    }

    /// Waits a moment, then speaks if it is time.
    fn tick(&mut self, done: impl Fn() -> u64) {
        // Short waits first, so that what takes no time takes none.
        let wait = if self.start.elapsed() < Duration::from_millis(300) {
            10
        } else {
            200
        };
        std::thread::sleep(Duration::from_millis(wait));
        let pause = Duration::from_millis(if self.terminal { 500 } else { 10_000 });
        if self.said.elapsed() < pause {
            return;
        }
        self.said = Instant::now();
        let text = format!("    {} of {}", mb(done().min(self.total)), mb(self.total));
        if self.terminal {
            eprint!("\r{text}   ");
            let _ = std::io::stderr().flush();
            self.open_line = true;
        } else {
            eprintln!("{text}");
        }
    }

    fn finish(&self) {
        if self.open_line {
            eprint!("\r{:40}\r", "");
        }
    }
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let one = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(one).sum()
}
