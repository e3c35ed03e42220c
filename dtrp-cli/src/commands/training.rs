//! From a configuration to a training: what `train`, `bench` and `profile` have in common.

use crate::config::Config;
use crate::costs;
use crate::error::Error;
use dtrp_train::{Stop, Trainer, Training};

/// The training that a configuration describes.
pub(super) fn training(config: &Config, stop: &Stop) -> Result<Training, Error> {
    let mut training = Training::from_settings(config.settings.clone())?.stop(stop);
    if let Some(path) = &config.program.method.costs {
        training = training.costs(costs::read(path)?);
    }
    Ok(training)
}

/// Builds it, and tells keys of the command line that have no effect. (Others whose value is not the default are told by the
/// training itself.)
pub(super) fn build(config: &Config, stop: &Stop) -> Result<Trainer, Error> {
    let trainer = training(config, stop)?.build()?;
    let unused = trainer.unused().iter();
    for unused in unused.filter(|unused| !unused.set && config.was_set(&unused.key)) {
        tracing::warn!("{unused}");
    }
    Ok(trainer)
}
