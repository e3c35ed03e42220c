//! Short runs of a small network on the digits, on one device or the other.

use crate::config::{Config, DIGITS, Set, load};
use crate::error::Error;
use crate::train::{Data, Stop, Trainer};
use dtrp_core::torch::TorchError;
use tch::{Device, Kind, TchError, Tensor};

/// Small enough for many runs, with a block for each of four modules.
const NETWORK: [&str; 4] = [
    "model.depth=8",
    "model.width=4",
    "optimizer.lr=0.05",
    "run.progress=none",
];

/// The device that is checked, and what stops a run.
pub(super) struct Place {
    device: String,
    stop: Stop,
}

/// A network that is being trained.
pub(super) struct Run<'a> {
    data: Data,
    trainer: Trainer,
    stop: &'a Stop,
    done: u64,
    epoch: u64,
}

/// Parameters and running statistics by name.
pub(super) type State = Vec<(String, Tensor)>;

impl Place {
    pub(super) fn new(device: &str) -> Result<Self, Error> {
        Ok(Self {
            device: device.to_owned(),
            stop: Stop::at_signals()?,
        })
    }

    /// Why nothing can run on the device, if so.
    pub(super) fn why_unavailable(&self) -> Option<String> {
        self.begin(&[]).err().map(|error| error.to_string())
    }

    /// A network on the device.
    pub(super) fn begin(&self, sets: &[&str]) -> Result<Run<'_>, Error> {
        Run::new(&self.device, sets, &self.stop)
    }

    /// Trains on the device.
    pub(super) fn train(&self, sets: &[&str], steps: u32) -> Result<State, Error> {
        let mut run = self.begin(sets)?;
        run.train(steps)?;
        run.trainer.state()
    }

    /// Trains on the CPU.
    pub(super) fn train_on_cpu(&self, sets: &[&str], steps: u32) -> Result<State, Error> {
        let mut run = Run::new("cpu", sets, &self.stop)?;
        run.train(steps)?;
        run.trainer.state()
    }
}

impl<'a> Run<'a> {
    fn new(device: &str, sets: &[&str], stop: &'a Stop) -> Result<Self, Error> {
        let device = format!("run.device={device}");
        let all = NETWORK.iter().chain(sets).copied().chain([&*device]);
        let sets: Result<Vec<Set>, String> = all.map(str::parse).collect();
        let config: Config = load(None, DIGITS, &sets.map_err(Error::Bug)?)?;
        let data = Data::open(&config)?;
        Ok(Self {
            trainer: Trainer::new(&config, &data)?,
            data,
            stop,
            done: 0,
            epoch: 0,
        })
    }

    /// Trains so many steps more, in programs of at most an epoch.
    pub(super) fn train(&mut self, steps: u32) -> Result<(), Error> {
        let mut left = steps;
        while left > 0 {
            let batches = left.min(self.trainer.length().batches_per_epoch);
            let program = self.trainer.program(batches)?;
            let source = self.trainer.source(&self.data, self.epoch, 0, self.stop)?;
            if let Err(error) = self.trainer.run(&program, self.done, source) {
                return Err(match self.stop.requested() {
                    true => Error::Interrupted(String::new()),
                    false => self.trainer.explain_run(error),
                });
            }
            left -= batches;
            self.done += u64::from(batches);
            self.epoch += 1;
        }
        Ok(())
    }

    /// Where module 1 is.
    pub(super) fn device(&self) -> Device {
        let first = self.trainer.stages().first();
        first.map_or(Device::Cpu, |stage| stage.module().options().1)
    }

    /// How often a worker's host thread has waited for a device to run dry.
    pub(super) fn blocking_reads(&self) -> u64 {
        let stages = self.trainer.stages().iter();
        stages.map(|stage| stage.metrics().reads.blocking).sum()
    }
}

/// The largest difference of any element, in f64 on the CPU; an error if tensors do not correspond.
pub(super) fn distance(a: &State, b: &State) -> Result<f64, Error> {
    let mut most = 0.0_f64;
    if a.len() != b.len() {
        return Err(Error::Bug("networks of other shapes".to_owned()));
    }
    for ((name, a), (other, b)) in a.iter().zip(b) {
        if name != other {
            return Err(Error::Bug(format!("`{name}` beside `{other}`")));
        }
        let difference = largest(a, b).map_err(|error| torch(error.into()))?;
        // NaN is far from everything.
        most = most.max(match difference.is_nan() {
            true => f64::INFINITY,
            false => difference,
        });
    }
    Ok(most)
}

fn largest(a: &Tensor, b: &Tensor) -> Result<f64, TchError> {
    let plain = |tensor: &Tensor| tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double);
    plain(a)?.f_sub(&plain(b)?)?.f_abs()?.f_max()?.f_double_value(&[])
}

/// What an error outside a program means.
pub(super) fn torch(error: TorchError) -> Error {
    Error::of_torch(error, false, str::to_owned)
}
