//! Where a configuration comes from, as it is typed.

use super::{BuiltIn, Config, ConfigError, Set, path_argument};
use clap::Args;
use std::path::PathBuf;

/// Where a configuration comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct Layers {
    /// YAML file; `-` is stdin [default: built in]
    #[arg(short, long, value_name = "FILE", value_parser = path_argument())]
    pub(crate) config: Option<PathBuf>,
    /// Override a key, such as optimizer.lr=0.1; the value is YAML, and the last of several wins
    #[arg(short, long = "set", value_name = "PATH=VALUE")]
    pub(crate) sets: Vec<Set>,
}

impl Layers {
    /// Reads the configuration; `built_in` stands in for a file.
    pub(crate) fn load(&self, built_in: BuiltIn) -> Result<Config, ConfigError> {
        Config::load(self.config.as_ref(), built_in, &self.sets)
    }
}
