//! What is used of a run: its weights, with the configuration that says which network and data they belong to.

use super::training::at_its_key;
use crate::config::{Config, DIGITS, Layers, Set, path_argument};
use crate::error::Error;
use crate::run::{CONFIG, WEIGHTS};
use clap::Args;
use dtrp_train::{Model, Stop, Training};
use std::fs;
use std::path::{Path, PathBuf};

/// The weights in the folder of a checkpoint.
const MODEL: &str = "model.safetensors";

/// The folder of a run's checkpoints.
const CHECKPOINTS: &str = "checkpoints";

/// A trained network, as it is typed.
#[derive(Debug, Args)]
pub(super) struct Trained {
    /// Folder of a run or of one of its checkpoints, or a safetensors file
    #[arg(value_name = "RUN|WEIGHTS", value_parser = path_argument())]
    pub(super) path: PathBuf,
    /// YAML file that says which network and data; `-` is stdin [default: that of the run]
    #[arg(short, long, value_name = "FILE", value_parser = path_argument())]
    config: Option<PathBuf>,
    /// Override a key of it, such as data.dir=/data; the value is YAML, and the last of several wins
    #[arg(short, long = "set", value_name = "PATH=VALUE")]
    sets: Vec<Set>,
}

impl Trained {
    /// The configuration, and the file of the weights.
    pub(super) fn load(&self) -> Result<(Config, PathBuf), Error> {
        let weights = weights(&self.path)?;
        let config = match &self.config {
            Some(config) => Some(config.clone()),
            None => config_of(&weights),
        };
        if config.is_none() {
            return Err(Error::Fit(format!(
                "{}: there is no {CONFIG} beside it, so that which network and data it belongs to is not known: name a \
                 configuration with --config",
                weights.display()
            )));
        }
        let sets = self.sets.clone();
        let config = Layers { config, sets }.load(DIGITS)?;
        Ok((config, weights))
    }

    /// Opens data and network, and loads the weights; with them, what they are called.
    pub(super) fn open(&self, stop: &Stop) -> Result<(Model, PathBuf), Error> {
        let (config, weights) = self.load()?;
        let model = Training::from_settings(config.settings.clone());
        let model = model.and_then(|training| training.stop(stop).model(&weights));
        Ok((model.map_err(|error| at_its_key(&config, error))?, weights))
    }
}

/// The file of weights that a path means: itself, or that of a run or a checkpoint.
pub(super) fn weights(path: &Path) -> Result<PathBuf, Error> {
    let found = fs::metadata(path).map_err(Error::read(path))?;
    if !found.is_dir() {
        return Ok(path.to_owned());
    }
    let files = [WEIGHTS, MODEL].map(|name| path.join(name));
    if let Some(file) = files.into_iter().find(|file| file.exists()) {
        return Ok(file);
    }
    let what = if path.join(CONFIG).exists() {
        format!(
            "the run has left no {WEIGHTS}: it ended, or is, before its first weights; one of its {CHECKPOINTS}/ can be named"
        )
    } else if path.join("latest").exists() {
        "that is the folder of all checkpoints: name one of them, such as `latest` in it".to_owned()
    } else {
        format!("is not the folder of a run (with {CONFIG} and {WEIGHTS}) nor that of a checkpoint (with {MODEL})")
    };
    Err(Error::Fit(format!("{}: {what}", path.display())))
}

/// The configuration of the run that weights belong to: beside them, or, of `RUN/checkpoints/step-…/`, in the run's folder.
pub(super) fn config_of(weights: &Path) -> Option<PathBuf> {
    // `latest` is a link to a folder beside it, and `.` has no parent by name.
    let place = weights.parent()?;
    let place = if place.as_os_str().is_empty() {
        Path::new(".")
    } else {
        place
    };
    let beside = place.join(CONFIG);
    if beside.exists() {
        return Some(beside);
    }
    let checkpoints = place.canonicalize().ok()?.parent()?.to_owned();
    let run = checkpoints.parent().filter(|_| checkpoints.ends_with(CHECKPOINTS))?;
    Some(run.join(CONFIG)).filter(|config| config.exists())
}
