//! How a run ended, as typed values that are written and read back.

use super::{Environment, Tally};
use dtrp_core::schedule::Order;
use dtrp_predictors::PluginFile;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum End {
    /// All steps were trained.
    Finished,
    /// It was asked to stop.
    Interrupted,
    /// The loss is no longer finite.
    Diverged,
    /// By another error.
    Failed,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Finished => "finished",
            End::Interrupted => "interrupted",
            End::Diverged => "diverged",
            End::Failed => "failed",
        })
    }
}

/// How a run ended, and what came of it. What was not measured is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Of the program.
    pub dtrp_version: String,
    /// How it ended.
    pub end: End,
    /// Whether it was asked to stop.
    pub interrupted: bool,
    /// The name of the run's folder, from whoever keeps one.
    pub name: Option<String>,
    /// The data set.
    pub data: String,
    /// The network.
    pub model: String,
    /// The method of the program that ran.
    pub method: String,
    /// Its order.
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub order: Order,
    /// Name; of a plug-in, its id. Null where no module predicts, as are the next two.
    pub predictor: Option<String>,
    /// As the predictor says itself.
    pub predictor_version: Option<String>,
    /// The file that the predictor was loaded from; null for one that is linked in.
    pub plugin: Option<Plugin>,
    /// Of initial weights, order of the samples, augmentation and dropout.
    pub seed: u64,
    /// Samples in a batch.
    pub batch_size: usize,
    /// The learning rate, before any schedule.
    pub lr: f64,
    /// K.
    pub modules: usize,
    /// Of the whole network.
    pub parameters: usize,
    /// Whole epochs trained.
    pub epochs: u64,
    /// Batches trained in them.
    pub steps: u64,
    /// After the last whole epoch, 0..1.
    pub final_test_accuracy: Option<f64>,
    /// The best after any epoch, 0..1.
    pub best_test_accuracy: Option<f64>,
    /// Mean over the last epoch's samples, as they were trained.
    pub final_train_loss: Option<f64>,
    /// Training images by training time; evaluation does not count.
    pub images_per_second: Option<f64>,
    /// From the start of training to its end, evaluation included.
    pub wall_seconds: f64,
    /// Training time alone.
    pub train_seconds: f64,
    /// Most memory that the process ever held, pages of libtorch included: see [`peak_rss_bytes`].
    pub peak_rss_bytes: Option<u64>,
    /// Share of the training time that module 1 waited for data, 0..1.
    pub loader_wait_share: Option<f64>,
    /// What batch compensation did, where it was asked for.
    pub batch_compensation: Option<Compensation>,
    /// Module 1's worker first.
    pub workers: Vec<WorkerSummary>,
    /// Memory of the GPUs that were trained on; null if none was.
    pub gpus: Option<Vec<GpuSummary>>,
    /// Where and when; runs of earlier versions have not said it.
    pub environment: Option<Environment>,
}

/// What batch compensation did to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Compensation {
    /// Images in a batch before.
    pub base_batch_size: usize,
    /// Images in a batch.
    pub batch_size: usize,
    /// The learning rate before.
    pub base_lr: f64,
    /// The learning rate.
    pub lr: f64,
    /// Mean share of the time that the workers computed without compensation, in the steady state, 0..1.
    pub utilisation_before: f64,
    /// The same over the whole run with it, 0..1.
    pub utilisation_after: Option<f64>,
}

impl Compensation {
    /// With what came of it.
    pub(crate) fn after(self, tally: &Tally) -> Self {
        let shares: Option<Vec<f64>> = tally.busy_shares().into_iter().collect();
        let shares = shares.filter(|shares| !shares.is_empty());
        Self {
            utilisation_after: shares.map(|s| s.iter().sum::<f64>() / s.len() as f64),
            ..self
        }
    }
}

/// Memory of a GPU, in bytes, as libtorch's allocator counts it: that of all workers on it together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct GpuSummary {
    /// cuda:N
    pub device: String,
    /// The workers on it, from 1.
    pub workers: Vec<usize>,
    /// Of tensors, at the end.
    pub allocated_bytes: u64,
    /// Of tensors, at most.
    pub peak_allocated_bytes: u64,
    /// Had from the driver, at the end.
    pub reserved_bytes: u64,
}

/// How a worker's host thread read numbers of its GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct HostReadsSummary {
    /// The GPU ran dry meanwhile.
    pub blocking: u64,
    /// When they had arrived.
    pub deferred: u64,
    /// Waits for the first of many.
    pub throttled: u64,
}

/// The shared library of a plug-in, exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Plugin {
    /// Absolute. One that is not UTF-8 is written with replacement characters.
    #[serde(serialize_with = "lossy")]
    #[cfg_attr(feature = "schemas", schemars(with = "String"))]
    pub path: PathBuf,
    /// Of the file as it was loaded.
    pub sha256: String,
    /// Version of the interface that it was built against.
    pub interface: String,
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl From<PluginFile> for Plugin {
    fn from(file: PluginFile) -> Self {
        let (major, minor) = file.abi;
        Self {
            path: file.path,
            sha256: file.sha256,
            interface: format!("{major}.{minor}"),
        }
    }
}

/// The part of one worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WorkerSummary {
    /// Share of the training time that it computed, 0..1.
    pub busy_share: Option<f64>,
    /// Most bytes of stored inputs at once.
    pub stored_input_peak_bytes: u64,
    /// What is as large as its weights; null in runs of earlier versions.
    pub memory: Option<WorkerMemory>,
    /// Most updates between a batch's forward and its backward.
    pub staleness_max: u32,
    /// Mean of ‖W_R − Ŵ‖ / ‖W_R − W_F‖: 1 is no better than no prediction, 0 is perfect.
    pub prediction_gain: Option<f64>,
    /// Mean cosine between predicted and realised displacement.
    pub prediction_cosine: Option<f64>,
    /// Seconds spent on predicting: rule, predicted weights, keeping what the predictor reads, showing it updates. Part of the
    /// time that it computed; null if the module does not predict.
    pub prediction_seconds: Option<f64>,
    /// Updates made.
    pub updates: u64,
    /// cpu or cuda:N
    pub device: String,
    /// Null on a CPU.
    pub host_reads: Option<HostReadsSummary>,
    /// Of its module.
    pub parameters: usize,
    /// Its module's blocks, in order.
    pub blocks: Vec<String>,
}

/// What a worker holds of tensors as large as its weights, in bytes, counted from the program: most at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct WorkerMemory {
    /// All versions of the weights that are in use at once.
    pub weight_bytes: u64,
    /// The gradient and the optimizer's state.
    pub optimizer_bytes: u64,
    /// Predicted weights, what the predictor reads, and the probe; what a custom predictor keeps for itself is not known.
    pub prediction_bytes: u64,
}

/// The most memory that this process has held, as Linux counts it (`VmHWM`): what it has asked for, and the pages of the program
/// and of libtorch that are mapped in, some 50 MB more or fewer with the state of the system's cache.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_is_plausible() {
        let bytes = super::peak_rss_bytes().unwrap();
        assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
    }
}
