//! The workspace folder and the environment, as data, so that tests can make their own.

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the command runs.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) workspace: PathBuf,
    /// The environment that programs are started with.
    pub(crate) env: BTreeMap<OsString, OsString>,
    /// Operating system and processor, as in `linux-x86_64`.
    pub(crate) platform: String,
}

impl Context {
    /// The context of this process.
    pub(crate) fn from_process() -> Result<Self> {
        // Cargo says at run time where the crate lies; the folder known at compile time serves a program started by hand.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let workspace = manifest
            .parent()
            .ok_or_else(|| Error::Usage(format!("no workspace above {}", manifest.display())))?
            .to_path_buf();
        Ok(Self {
            workspace,
            env: std::env::vars_os().filter(|(key, _)| !is_cargos_own(key)).collect(),
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        })
    }

    /// The variable `name`, where it is set and not empty.
    pub(crate) fn var(&self, name: &str) -> Option<&OsStr> {
        self.env
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The same context with one variable set.
    pub(crate) fn with_var(&self, name: &str, value: impl Into<OsString>) -> Self {
        let mut context = self.clone();
        context.env.insert(name.into(), value.into());
        context
    }

    /// The link through which everything in the workspace finds libtorch.
    pub(crate) fn link(&self) -> PathBuf {
        self.workspace.join(".libtorch")
    }

    /// The first executable called `name` on the `PATH`.
    pub(crate) fn find_program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.var("PATH")?)
            .map(|folder| folder.join(name))
            .find(|path| is_executable(path))
    }

    /// A command with exactly this context's environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env);
        command
    }

    /// The cargo that started this program, else the one on the `PATH`.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = match self.var("CARGO") {
            Some(cargo) => self.command(cargo),
            None => self.command("cargo"),
        };
        command.current_dir(&self.workspace);
        command
    }
}

/// Whether cargo set this variable to describe xtask itself; inner builds must not see it.
fn is_cargos_own(key: &OsStr) -> bool {
    let key = key.to_string_lossy();
    key.starts_with("CARGO_PKG_")
        || key.starts_with("CARGO_MANIFEST_")
        || key.starts_with("CARGO_BIN_")
        || matches!(&*key, "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE")
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}
