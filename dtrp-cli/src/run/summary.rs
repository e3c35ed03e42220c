//! `summary.json`: how a run ended.

use crate::train::Compensation;
use dtrp_predictors::PluginFile;
use serde::Serialize;
use std::path::PathBuf;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum End {
    /// All steps were trained.
    Finished,
    /// By Ctrl-C.
    Interrupted,
    /// The loss is no longer finite.
    Diverged,
    /// By another error.
    Failed,
}

/// The summary. What was not measured is null.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) dtrp_version: &'static str,
    /// How it ended.
    pub(crate) end: End,
    /// By Ctrl-C.
    pub(crate) interrupted: bool,
    pub(crate) data: String,
    pub(crate) model: String,
    pub(crate) method: String,
    pub(crate) order: String,
    /// Name; of a plug-in, its id. Null where no module predicts, as are the next two.
    pub(crate) predictor: Option<String>,
    pub(crate) predictor_version: Option<String>,
    /// The file that the predictor was loaded from; null for one that is linked in.
    pub(crate) plugin: Option<Plugin>,
    pub(crate) modules: usize,
    /// Of the whole network.
    pub(crate) parameters: usize,
    /// Whole epochs trained.
    pub(crate) epochs: u64,
    /// Batches trained in them.
    pub(crate) steps: u64,
    /// Of the weights in `weights.safetensors`, 0..1.
    pub(crate) final_test_accuracy: Option<f64>,
    /// The best after any epoch, 0..1.
    pub(crate) best_test_accuracy: Option<f64>,
    /// Mean over the last epoch's samples, as they were trained.
    pub(crate) final_train_loss: Option<f64>,
    /// Training images by training time; evaluation does not count.
    pub(crate) images_per_second: Option<f64>,
    /// From the start of training to its end, evaluation included.
    pub(crate) wall_seconds: f64,
    /// Training time alone.
    pub(crate) train_seconds: f64,
    /// Most memory that the process ever held.
    pub(crate) peak_rss_bytes: Option<u64>,
    /// Share of the training time that module 1 waited for data, 0..1.
    pub(crate) loader_wait_share: Option<f64>,
    /// What batch compensation did, where it was asked for.
    pub(crate) batch_compensation: Option<Compensation>,
    /// Module 1's worker first.
    pub(crate) workers: Vec<WorkerSummary>,
    /// Memory of the GPUs that were trained on; null if none was.
    pub(crate) gpus: Option<Vec<GpuSummary>>,
}

/// Memory of a GPU, in bytes, as libtorch's allocator counts it: that of all workers on it together.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GpuSummary {
    /// cuda:N
    pub(crate) device: String,
    /// The workers on it, from 1.
    pub(crate) workers: Vec<usize>,
    /// Of tensors, at the end.
    pub(crate) allocated_bytes: u64,
    /// Of tensors, at most.
    pub(crate) peak_allocated_bytes: u64,
    /// Had from the driver, at the end.
    pub(crate) reserved_bytes: u64,
}

/// How a worker's host thread read numbers of its GPU.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct HostReadsSummary {
    /// The GPU ran dry meanwhile.
    pub(crate) blocking: u64,
    /// When they had arrived.
    pub(crate) deferred: u64,
    /// Waits for the first of many.
    pub(crate) throttled: u64,
}

/// The shared library of a plug-in, exactly.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plugin {
    /// Absolute.
    pub(crate) path: PathBuf,
    /// Of the file as it was loaded.
    pub(crate) sha256: String,
    /// Version of the interface that it was built against.
    pub(crate) interface: String,
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
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WorkerSummary {
    /// Share of the training time that it computed, 0..1.
    pub(crate) busy_share: Option<f64>,
    /// Most bytes of stored inputs at once.
    pub(crate) stored_input_peak_bytes: u64,
    /// Most updates between a batch's forward and its backward.
    pub(crate) staleness_max: u32,
    /// Mean of ‖W_R − Ŵ‖ / ‖W_R − W_F‖: 1 is no better than no prediction, 0 is perfect.
    pub(crate) prediction_gain: Option<f64>,
    /// Mean cosine between predicted and realised displacement.
    pub(crate) prediction_cosine: Option<f64>,
    /// Seconds spent on predicting: rule, predicted weights, keeping what the predictor reads, showing it updates. Part of the
    /// time that it computed; null if the module does not predict.
    pub(crate) prediction_seconds: Option<f64>,
    /// Updates made.
    pub(crate) updates: u64,
    /// cpu or cuda:N
    pub(crate) device: String,
    /// Null on a CPU.
    pub(crate) host_reads: Option<HostReadsSummary>,
    /// Of its module.
    pub(crate) parameters: usize,
    /// Its module's blocks, in order.
    pub(crate) blocks: Vec<String>,
}

/// The most memory that this process has held, as Linux counts it.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
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
