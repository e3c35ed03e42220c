//! `state.json`: where a run stands, and what belongs to the checkpoint.

use crate::events::{EpochReport, Plugin, Tally};
use crate::settings::Settings;
use dtrp_core::schedule::Unit;
use dtrp_core::torch::{ActivationFacts, GradientFacts, StageFacts};
use dtrp_predictors::Provenance;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What the file says of itself first.
pub(super) const FORMAT: &str = "dtrp checkpoint";

/// Of the format. A reader refuses versions above its own.
pub(super) const VERSION: u32 = 1;

/// Why a checkpoint was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Why {
    /// An epoch is over.
    Epoch,
    /// So many batches are trained.
    Steps,
    /// So much time has passed.
    Minutes,
    /// The run was asked to stop.
    Stop,
    /// The run is over.
    End,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Epoch => "after an epoch",
            Why::Steps => "checkpoint.every_steps",
            Why::Minutes => "checkpoint.every_minutes",
            Why::Stop => "asked to stop",
            Why::End => "the end of the run",
        })
    }
}

/// Everything of a checkpoint that is not a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// That this is a checkpoint.
    pub format: String,
    /// Of the format.
    pub version: u32,
    /// Of the program that wrote it.
    pub dtrp_version: String,
    /// Why it was made.
    pub why: Why,
    /// The settings in force.
    pub settings: Settings,
    /// Where the predictor comes from; null if no module predicts.
    pub predictor: Option<PredictorIdentity>,
    /// Where the run stands. With the seed in the settings it is all that order of samples, augmentation and dropout depend on.
    pub position: RunPosition,
    /// What has come of the run so far.
    pub results: Results,
    /// Of each module, module 1 first: what its stage keeps beside tensors.
    pub modules: Vec<StageFacts>,
    /// Of each module: what lay at it and had not been used or sent. Null between programs.
    pub mail: Option<Vec<MailFacts>>,
    /// The other files of the folder.
    pub files: BTreeMap<String, FileFacts>,
}

/// What lay at a module and had not been used or sent, by unit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MailFacts {
    /// Activations from below.
    pub arrived_up: Vec<(Unit, ActivationFacts)>,
    /// Gradients from above.
    pub arrived_down: Vec<(Unit, GradientFacts)>,
    /// Activations for the module above.
    pub ready_up: Vec<(Unit, ActivationFacts)>,
    /// Gradients for the module below.
    pub ready_down: Vec<(Unit, GradientFacts)>,
}

impl CheckpointState {
    /// Of this program and this version of the format; of a run that has not begun.
    pub(crate) fn new(why: Why, settings: Settings) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            dtrp_version: env!("CARGO_PKG_VERSION").to_owned(),
            why,
            settings,
            predictor: None,
            position: RunPosition::default(),
            results: Results::default(),
            modules: Vec::new(),
            mail: None,
            files: BTreeMap::new(),
        }
    }
}

/// Who predicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictorIdentity {
    /// Name; of a plug-in, its id.
    pub name: String,
    /// As the predictor says itself.
    pub version: String,
    /// The file that it was loaded from; null for one that is linked in.
    pub plugin: Option<Plugin>,
}

impl From<&Provenance> for PredictorIdentity {
    fn from(of: &Provenance) -> Self {
        Self {
            name: of.name.clone(),
            version: of.version.clone(),
            plugin: of.plugin.clone().map(Into::into),
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunPosition {
    /// Whole epochs, trained and evaluated.
    pub epochs: u64,
    /// Batches of the whole run that every module has trained on.
    pub step: u64,
    /// Batches of the current epoch before the current program, or, where there is none, trained.
    pub trained: u32,
    /// The program that was interrupted; null between programs.
    pub program: Option<InProgram>,
}

/// A place in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InProgram {
    /// Its length in batches.
    pub batches: u32,
    /// So many of them every module has trained on.
    pub batch: u32,
}

/// What has come of a run so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Results {
    /// Batches of whole epochs.
    pub done: u64,
    /// Of the last whole epoch.
    pub last: Option<EpochReport>,
    /// The best accuracy on the test set after any epoch, 0..1.
    pub best: Option<f64>,
    /// Sums over the whole epochs.
    pub tally: Tally,
    /// Sums over the current epoch.
    pub epoch_tally: Tally,
    /// Sum over the samples of the current epoch of their losses.
    pub loss_sum: f64,
    /// Batches of the whole run whose loss has been told.
    pub told: u64,
    /// Seconds since the start of training, not counting those between an interruption and going on.
    pub seconds: f64,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Its length.
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}
