//! What a run's epochs add up to.

use super::{GpuSummary, HostReadsSummary, WorkerMemory, WorkerReport, WorkerSummary};
use dtrp_core::engine::{Execution, Paused};
use dtrp_core::torch::{DeviceMemory, TorchStage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tch::Device;

/// Sums over programs that have run to their end: images, time, and how it was spent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Training images.
    pub images: u64,
    /// Training time.
    pub wall: Duration,
    /// Time that worker 1 waited for data.
    pub waited: Duration,
    busy: Vec<Duration>,
    staleness: Vec<u32>,
    /// Most versions of the weights at once.
    versions: Vec<usize>,
}

impl Tally {
    /// Of one program.
    pub(crate) fn of(execution: &Execution, images: u64, waited: Duration) -> Self {
        let workers = &execution.report.workers;
        let mut busy: Vec<Duration> = (1..=workers.len()).map(|k| execution.trace.busy(k)).collect();
        // Reading its input is an action of worker 1, but waiting for the loader is no work.
        if let Some(first) = busy.first_mut() {
            *first = first.saturating_sub(waited);
        }
        Self {
            images,
            wall: execution.trace.wall(),
            waited,
            busy,
            staleness: workers.iter().map(|w| w.max_staleness()).collect(),
            versions: workers.iter().map(|w| w.weight_versions).collect(),
        }
    }

    /// Of the part of one that ran before it was paused.
    pub(crate) fn of_part(paused: &Paused<TorchStage>, images: u64, waited: Duration) -> Self {
        let mut busy: Vec<Duration> = (1..=paused.mail().len()).map(|k| paused.busy(k)).collect();
        if let Some(first) = busy.first_mut() {
            *first = first.saturating_sub(waited);
        }
        Self {
            images,
            wall: paused.wall(),
            waited,
            busy,
            staleness: Vec::new(),
            versions: Vec::new(),
        }
    }

    /// Adds another program's.
    pub(crate) fn add(&mut self, other: &Tally) {
        self.images += other.images;
        self.wall += other.wall;
        self.waited += other.waited;
        self.busy.resize(self.busy.len().max(other.busy.len()), Duration::ZERO);
        self.staleness
            .resize(self.staleness.len().max(other.staleness.len()), 0);
        self.versions.resize(self.versions.len().max(other.versions.len()), 0);
        for (sum, busy) in self.busy.iter_mut().zip(&other.busy) {
            *sum += *busy;
        }
        for (most, staleness) in self.staleness.iter_mut().zip(&other.staleness) {
            *most = (*most).max(*staleness);
        }
        for (most, versions) in self.versions.iter_mut().zip(&other.versions) {
            *most = (*most).max(*versions);
        }
    }

    /// Training images by training time.
    pub fn images_per_second(&self) -> Option<f64> {
        (!self.wall.is_zero()).then(|| self.images as f64 / self.wall.as_secs_f64())
    }

    /// Share of the training time that worker 1 waited for data.
    pub fn wait_share(&self) -> Option<f64> {
        self.share(self.waited)
    }

    /// Share of the training time that each worker computed.
    pub fn busy_shares(&self) -> Vec<Option<f64>> {
        self.busy.iter().map(|busy| self.share(*busy)).collect()
    }

    fn share(&self, part: Duration) -> Option<f64> {
        (!self.wall.is_zero()).then(|| part.as_secs_f64() / self.wall.as_secs_f64())
    }

    /// For the report of an epoch.
    pub(crate) fn reports(&self, stages: &[TorchStage]) -> Vec<WorkerReport> {
        let shares = self.busy_shares();
        let worker = |(index, stage): (usize, &TorchStage)| {
            let metrics = stage.metrics();
            WorkerReport {
                busy_share: shares.get(index).copied().flatten().unwrap_or(0.0),
                staleness_max: self.staleness.get(index).copied().unwrap_or(0),
                stored_input_peak_bytes: metrics.stored_input_peak_bytes,
                prediction_gain: finite(metrics.gain.map(|gain| gain.error)),
            }
        };
        stages.iter().enumerate().map(worker).collect()
    }

    /// For the summary of a run.
    pub(crate) fn workers(&self, stages: &[TorchStage]) -> Vec<WorkerSummary> {
        let shares = self.busy_shares();
        let worker = |(index, stage): (usize, &TorchStage)| {
            let metrics = stage.metrics();
            WorkerSummary {
                busy_share: shares.get(index).copied().flatten(),
                stored_input_peak_bytes: metrics.stored_input_peak_bytes,
                memory: self.versions.get(index).map(|versions| memory(stage, *versions)),
                staleness_max: self.staleness.get(index).copied().unwrap_or(0),
                prediction_gain: finite(metrics.gain.map(|gain| gain.error)),
                prediction_cosine: finite(metrics.gain.map(|gain| gain.cosine)),
                prediction_seconds: metrics.predicting.map(|time| time.as_secs_f64()),
                updates: metrics.updates,
                device: device_name(stage.module().options().1),
                host_reads: host_reads(stage),
                parameters: parameters(stage),
                blocks: stage.module().block_names().map(str::to_owned).collect(),
            }
        };
        stages.iter().enumerate().map(worker).collect()
    }
}

/// Elements of a stage's parameters, without those of an auxiliary head.
pub(crate) fn parameters(stage: &TorchStage) -> usize {
    stage.module().params().map(|spec| spec.len()).sum()
}

/// What is as large as a stage's weights, where so many versions of them are in use at once.
pub(crate) fn memory(stage: &TorchStage, versions: usize) -> WorkerMemory {
    let each = (parameters(stage) * stage.module().options().0.elt_size_in_bytes()) as u64;
    WorkerMemory {
        weight_bytes: versions as u64 * each,
        optimizer_bytes: stage.optimizer_copies() as u64 * each,
        prediction_bytes: stage.prediction_copies() as u64 * each,
    }
}

/// Memory of the GPUs under the stages; `None` if there are none.
pub(crate) fn gpus(stages: &[TorchStage]) -> Option<Vec<GpuSummary>> {
    let mut workers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (worker, stage) in (1..).zip(stages) {
        if let Device::Cuda(index) = stage.module().options().1 {
            workers.entry(index).or_default().push(worker);
        }
    }
    let gpu = |(index, workers): (usize, Vec<usize>)| {
        let memory = DeviceMemory::of(Device::Cuda(index)).ok().flatten()?;
        Some(GpuSummary {
            device: device_name(Device::Cuda(index)),
            workers,
            allocated_bytes: memory.allocated,
            peak_allocated_bytes: memory.peak,
            reserved_bytes: memory.reserved,
        })
    };
    let gpus: Vec<_> = workers.into_iter().filter_map(gpu).collect();
    (!gpus.is_empty()).then_some(gpus)
}

fn host_reads(stage: &TorchStage) -> Option<HostReadsSummary> {
    let reads = stage.metrics().reads;
    matches!(stage.module().options().1, Device::Cuda(_)).then_some(HostReadsSummary {
        blocking: reads.blocking,
        deferred: reads.deferred,
        throttled: reads.throttled,
    })
}

/// As settings name it.
fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// A number that was measured: not that of a diverged run, nor a mean over nothing.
fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}
