//! Short runs of a small network on the digits, on one device or the other.

use dtrp_train::{BoxError, Settings, Trainer, Training};
use tch::{Device, Kind, TchError, Tensor};

/// The device that is checked.
pub(crate) struct Place {
    device: String,
}

/// A network that is being trained.
pub(crate) struct Run {
    trainer: Trainer,
    epoch: u64,
}

/// Parameters and running statistics by name.
pub(crate) type State = Vec<(String, Tensor)>;

/// A network small enough for many runs, with a block for each of four modules.
pub(crate) fn small() -> Settings {
    let mut settings = Settings::default();
    for (option, value) in [("depth", 8), ("width", 4)] {
        settings.model.options.insert(option.to_owned(), value.into());
    }
    settings.optimizer.lr = 0.05;
    settings
}

impl Place {
    pub(crate) fn new(device: &str) -> Self {
        Self {
            device: device.to_owned(),
        }
    }

    /// Why nothing can run on the device, if so.
    pub(crate) fn why_unavailable(&self) -> Option<String> {
        self.begin(&small()).err().map(|error| error.to_string())
    }

    /// A network on the device.
    pub(crate) fn begin(&self, settings: &Settings) -> Result<Run, BoxError> {
        Run::new(&self.device, settings)
    }

    /// Trains on the device.
    pub(crate) fn train(&self, settings: &Settings, steps: u32) -> Result<State, BoxError> {
        self.begin(settings)?.train_from_start(steps)
    }

    /// Trains on the CPU.
    pub(crate) fn train_on_cpu(&self, settings: &Settings, steps: u32) -> Result<State, BoxError> {
        Run::new("cpu", settings)?.train_from_start(steps)
    }
}

impl Run {
    fn new(device: &str, settings: &Settings) -> Result<Self, BoxError> {
        let training = Training::from_settings(settings.clone())?;
        Ok(Self {
            trainer: training.device(device).build()?,
            epoch: 0,
        })
    }

    /// Trains so many steps more, in programs of at most an epoch.
    pub(crate) fn train(&mut self, steps: u32) -> Result<(), BoxError> {
        let mut left = steps;
        while left > 0 {
            let batches = left.min(self.trainer.length().batches_per_epoch);
            self.trainer.stretch(self.epoch, batches)?;
            left -= batches;
            self.epoch += 1;
        }
        Ok(())
    }

    fn train_from_start(mut self, steps: u32) -> Result<State, BoxError> {
        self.train(steps)?;
        Ok(self.trainer.snapshot()?.tensors())
    }

    /// Where module 1 is.
    pub(crate) fn device(&self) -> Device {
        let first = self.trainer.stages().first();
        first.map_or(Device::Cpu, |stage| stage.module().options().1)
    }

    /// How often a worker's host thread has waited for a device to run dry.
    pub(crate) fn blocking_reads(&self) -> u64 {
        let stages = self.trainer.stages().iter();
        stages.map(|stage| stage.metrics().reads.blocking).sum()
    }
}

/// The largest difference of any element, in f64 on the CPU; an error if tensors do not correspond.
pub(crate) fn distance(a: &State, b: &State) -> Result<f64, BoxError> {
    let mut most = 0.0_f64;
    if a.len() != b.len() {
        return Err("networks of other shapes".into());
    }
    for ((name, a), (other, b)) in a.iter().zip(b) {
        if name != other {
            return Err(format!("`{name}` beside `{other}`").into());
        }
        let difference = largest(a, b)?;
        // NaN is far from everything.
        most = most.max(if difference.is_nan() { f64::INFINITY } else { difference });
    }
    Ok(most)
}

fn largest(a: &Tensor, b: &Tensor) -> Result<f64, TchError> {
    let plain = |tensor: &Tensor| tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double);
    plain(a)?.f_sub(&plain(b)?)?.f_abs()?.f_max()?.f_double_value(&[])
}
