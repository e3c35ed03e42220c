//! Running `dtrp` in a folder of its own.

use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A network and a run so small that they take no time.
pub(crate) const TINY: &[&str] = &[
    "model.depth=8",
    "model.width=4",
    "data.limit=160",
    "data.test_limit=64",
    "data.batch_size=32",
    "run.epochs=2",
    "run.log_every=1",
];

/// A working folder.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a run of the program left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dtrp"));
        command.args(args).current_dir(self.path()).env_remove("RUST_LOG");
        command
    }

    pub(crate) fn dtrp(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// `dtrp train` with these settings.
    pub(crate) fn train(&self, sets: &[&str]) -> Ran {
        let mut args = vec!["train"];
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        self.dtrp(&args)
    }

    /// A tiny run `name`, which must succeed.
    pub(crate) fn tiny(&self, name: &str, sets: &[&str]) -> Ran {
        let name = format!("run.name={name}");
        let ran = self.train(&[TINY, &[name.as_str()], sets].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    }

    /// A file of a run's folder.
    pub(crate) fn read(&self, file: &str) -> String {
        let path = self.file("runs").join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    pub(crate) fn weights(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.file("runs").join(name).join("weights.safetensors")).unwrap()
    }

    pub(crate) fn summary(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(&format!("{name}/summary.json"))).unwrap()
    }

    /// The objects of `metrics.jsonl` of one kind.
    pub(crate) fn events(&self, name: &str, kind: &str) -> Vec<Value> {
        let text = self.read(&format!("{name}/metrics.jsonl"));
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|event| event["event"] == kind).collect()
    }
}

/// A file of the repository.
pub(crate) fn workspace_file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Lets the program write files of at most so many bytes, as a full disk does. The limit's signal is ignored, so that writing
/// fails instead.
pub(crate) fn limit_files(command: &mut Command, bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    let in_child = move || {
        // SAFETY: plain system calls, with a pointer to what the closure holds.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls, and allocates nothing.
    unsafe { command.pre_exec(in_child) };
}
