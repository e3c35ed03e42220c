//! From a configuration to a training: what `train`, `bench` and `profile` have in common.

use crate::config::Config;
use crate::costs;
use crate::error::Error;
use dtrp_train::{Checkpoint, Stop, TrainError, Trainer, Training};

/// The training that a configuration describes.
pub(super) fn training(config: &Config, stop: &Stop) -> Result<Training, Error> {
    let training = Training::from_settings(config.settings.clone());
    let mut training = training.map_err(|error| at_its_key(config, error))?.stop(stop);
    if let Some(path) = &config.program.method.costs {
        training = training.costs(costs::read(path)?);
    }
    Ok(training)
}

/// Builds it, and tells keys of the command line that have no effect. (Others whose value is not the default are told by the
/// training itself.)
pub(super) fn build(config: &Config, stop: &Stop) -> Result<Trainer, Error> {
    build_from(config, stop, None)
}

/// As [`build`], to go on from a checkpoint if there is one.
pub(super) fn build_from(config: &Config, stop: &Stop, from: Option<&Checkpoint>) -> Result<Trainer, Error> {
    let mut training = training(config, stop)?;
    if let Some(checkpoint) = from {
        training = training.resume(checkpoint);
    }
    let trainer = training.build();
    let trainer = trainer.map_err(|error| at_its_key(config, error))?;
    let unused = trainer.unused().iter();
    for unused in unused.filter(|unused| !unused.set && config.was_set(&unused.key)) {
        tracing::warn!("{unused}");
    }
    Ok(trainer)
}

/// The error with the key that is to be changed, and where that stands, where it does not say so itself.
pub(super) fn at_its_key(config: &Config, error: TrainError) -> Error {
    match error.key() {
        Some(key) if !error.to_string().contains(&key) => Error::Key {
            place: config.place(&key),
            error,
        },
        _ => error.into(),
    }
}
