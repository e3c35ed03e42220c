//! How a run goes.

use dtrp_core::engine::Executor;
use dtrp_core::torch::{Dtype, Precision};
use dtrp_core::trace::Recording;
use serde::{Deserialize, Serialize};

/// How a run goes: seed, length, devices, threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RunSettings {
    /// Of initial weights, order of the samples, augmentation and dropout.
    pub seed: u64,
    /// Passes over the training data.
    pub epochs: u64,
    /// Stop after so many batches, if that comes earlier; rate schedules end there too.
    pub max_steps: Option<u64>,
    /// Element type of weights and activations.
    #[cfg_attr(feature = "schemas", schemars(with = "String", extend("enum" = Dtype::ALL.map(Dtype::name))))]
    pub dtype: Dtype,
    /// How products of f32 numbers are computed.
    #[cfg_attr(feature = "schemas", schemars(with = "String", extend("enum" = Precision::ALL.map(Precision::name))))]
    pub precision: Precision,
    /// Order in memory. `true`: images and weights with their channels last; `false`: neither; `None`: images only.
    pub channels_last: Option<bool>,
    /// One device for all modules, or one for each.
    pub device: Devices,
    /// Threads inside one operator; the workers themselves are one thread each.
    pub threads_per_worker: u16,
    /// Who executes the workers; the result is the same.
    #[cfg_attr(feature = "schemas", schemars(with = "String", extend("enum" = Executor::ALL.map(Executor::name))))]
    pub executor: Executor,
    /// Give up when no worker has begun or ended an action for so many seconds. Time in which the process is stopped does not
    /// count.
    pub watchdog_seconds: f64,
    /// What is kept of every action of the first program: that it ran, or also when.
    #[cfg_attr(feature = "schemas", schemars(with = "String", extend("enum" = Recording::ALL.map(Recording::name))))]
    pub trace: Recording,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 40,
            max_steps: None,
            dtype: Dtype::F32,
            precision: Precision::F32,
            channels_last: None,
            device: Devices::default(),
            threads_per_worker: 1,
            executor: Executor::Threads,
            watchdog_seconds: 600.0,
            trace: Recording::Logical,
        }
    }
}

/// One device for all modules, or a list with one for each, module 1 first: `cpu` or `cuda:N`. At least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub struct Devices(pub(crate) Vec<String>);

impl Devices {
    /// As they are named.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The device of the first module for all of them.
    #[must_use]
    pub fn first(mut self) -> Self {
        self.0.truncate(1);
        self
    }
}

impl Default for Devices {
    fn default() -> Self {
        Self(vec!["cpu".to_owned()])
    }
}

impl From<&str> for Devices {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

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
