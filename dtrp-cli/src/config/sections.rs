//! The sections, with every key and its default. `configs/digits.yaml` says what each one means.

use super::method::{Bytes, CutsAt, Predictor};
use super::model::Model;
use dtrp_predictors::Spec;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) run: Run,
    pub(crate) data: Data,
    pub(crate) model: Model,
    pub(crate) method: Method,
    pub(crate) optimizer: Optimizer,
}

/// How the program runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) name: Option<String>,
    pub(crate) dir: PathBuf,
    pub(crate) seed: u64,
    pub(crate) epochs: u64,
    pub(crate) max_steps: Option<u64>,
    pub(crate) dtype: Dtype,
    pub(crate) precision: Precision,
    pub(crate) channels_last: Option<bool>,
    pub(crate) device: Devices,
    pub(crate) threads_per_worker: u16,
    pub(crate) executor: Executor,
    pub(crate) watchdog_seconds: f64,
    pub(crate) trace: TraceKind,
    pub(crate) log_every: u64,
    pub(crate) progress: ProgressKind,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            name: None,
            dir: "runs".into(),
            seed: 1,
            epochs: 40,
            max_steps: None,
            dtype: Dtype::F32,
            precision: Precision::F32,
            channels_last: None,
            device: Devices(vec!["cpu".to_owned()]),
            threads_per_worker: 1,
            executor: Executor::Threads,
            watchdog_seconds: 600.0,
            trace: TraceKind::Logical,
            log_every: 10,
            progress: ProgressKind::Auto,
        }
    }
}

/// The element type of weights and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dtype {
    F32,
    F64,
}

/// How products of f32 numbers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Precision {
    F32,
    Tf32,
    Bf16,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        })
    }
}

impl Dtype {
    /// Bytes of an element.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Dtype::F32 => 4,
            Dtype::F64 => 8,
        }
    }
}

/// Who executes the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Executor {
    Threads,
    Sequential,
}

/// What is kept of what the workers did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TraceKind {
    /// Which actions ran, in order.
    Logical,
    /// When, too: the first epoch is written as Chrome JSON and as SVG.
    Timed,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProgressKind {
    Auto,
    Bar,
    Plain,
    None,
}

/// One device for all modules, or a list with one for each; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub(crate) struct Devices(pub(crate) Vec<String>);

impl TryFrom<serde_json::Value> for Devices {
    type Error = &'static str;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        let names = match value {
            serde_json::Value::Array(names) => names,
            name => vec![name],
        };
        let names: Option<Vec<_>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
        names
            .filter(|names| !names.is_empty())
            .map(Self)
            .ok_or("expected `cpu`, `cuda:N`, or a list of them with one for each module")
    }
}

impl From<Devices> for serde_json::Value {
    fn from(devices: Devices) -> Self {
        match <[String; 1]>::try_from(devices.0) {
            Ok([one]) => one.into(),
            Err(list) => list.into(),
        }
    }
}

/// What is trained on, and how it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Data {
    pub(crate) name: String,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) batch_size: usize,
    pub(crate) shuffle: bool,
    pub(crate) augment: String,
    pub(crate) limit: Option<usize>,
    pub(crate) test_limit: Option<usize>,
    pub(crate) drop_last: bool,
    pub(crate) threads: usize,
    pub(crate) prefetch: usize,
    pub(crate) shape: Option<[usize; 3]>,
    pub(crate) resize: Option<usize>,
    pub(crate) classes: Option<usize>,
    pub(crate) train_samples: Option<usize>,
    pub(crate) test_samples: Option<usize>,
    pub(crate) seed: u64,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            name: "digits".to_owned(),
            dir: None,
            batch_size: 64,
            shuffle: true,
            augment: "auto".to_owned(),
            limit: None,
            test_limit: None,
            drop_last: false,
            threads: 1,
            prefetch: 4,
            shape: None,
            resize: None,
            classes: None,
            train_samples: None,
            test_samples: None,
            seed: 0,
        }
    }
}

/// The training method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) modules: usize,
    pub(crate) order: Option<String>,
    pub(crate) predictor: Predictor,
    pub(crate) cuts: CutsAt,
    pub(crate) costs: Option<PathBuf>,
    pub(crate) memory_budget: Option<Bytes>,
    pub(crate) batch_compensation: BatchCompensation,
    pub(crate) micro_batches: u16,
    pub(crate) accumulate: u32,
    pub(crate) program: Option<PathBuf>,
    pub(crate) probe_every: u32,
    pub(crate) gradient_shrink: f64,
    pub(crate) lr_shrink: f64,
    pub(crate) spike: bool,
    pub(crate) rescale_epochs: f64,
    pub(crate) auxiliary: String,
}

impl Default for Method {
    fn default() -> Self {
        Self {
            name: "dtrp".to_owned(),
            modules: 2,
            order: None,
            predictor: Predictor(Spec::named("momentum")),
            cuts: CutsAt::Even,
            costs: None,
            memory_budget: None,
            batch_compensation: BatchCompensation::default(),
            micro_batches: 1,
            accumulate: 1,
            program: None,
            probe_every: 10,
            gradient_shrink: 1.0,
            lr_shrink: 1.0,
            spike: false,
            rescale_epochs: 0.0,
            auxiliary: "mlp".to_owned(),
        }
    }
}

/// What makes up for workers that wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchCompensation {
    pub(crate) balance: bool,
    pub(crate) fill: bool,
    pub(crate) rate: RateRule,
}

/// How the learning rate follows the batch size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RateRule {
    #[default]
    Linear,
    Sqrt,
    None,
}

/// The optimizer of every module, and the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Optimizer {
    pub(crate) name: OptimizerName,
    pub(crate) lr: f64,
    pub(crate) momentum: f64,
    pub(crate) nesterov: bool,
    pub(crate) betas: [f64; 2],
    pub(crate) epsilon: f64,
    pub(crate) weight_decay: f64,
    pub(crate) decay_bias_and_norm: bool,
    pub(crate) label_smoothing: f64,
    pub(crate) schedule: RateSchedule,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            name: OptimizerName::Sgd,
            lr: 0.1,
            momentum: 0.9,
            nesterov: false,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 5e-4,
            decay_bias_and_norm: true,
            label_smoothing: 0.0,
            schedule: RateSchedule::default(),
        }
    }
}

/// Which optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OptimizerName {
    Sgd,
    Adam,
    AdamW,
}

/// How the learning rate goes over the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateSchedule {
    pub(crate) name: ScheduleName,
    pub(crate) milestones: Vec<f64>,
    pub(crate) gamma: f64,
    pub(crate) final_lr: f64,
    pub(crate) warmup_epochs: f64,
    pub(crate) warmup_from: f64,
}

impl Default for RateSchedule {
    fn default() -> Self {
        Self {
            name: ScheduleName::Cosine,
            milestones: Vec::new(),
            gamma: 0.1,
            final_lr: 0.0,
            warmup_epochs: 0.0,
            warmup_from: 0.0,
        }
    }
}

/// Which curve the learning rate follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ScheduleName {
    Constant,
    MultiStep,
    Cosine,
}
