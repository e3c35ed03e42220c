//! The network as stages, one for each module, and how programs are run on them.

use super::data::Data;
use super::device::{devices, kind};
use super::parts::Parts;
use super::programs::Programs;
use super::rate;
use super::source::{Batches, Feed, Layout};
use super::stop::Stop;
use super::tally::gpus;
use crate::config::{Config, Executor, TraceKind};
use crate::error::Error;
use dtrp_core::engine::{self, EngineError, Options, Outcome};
use dtrp_core::schedule::{Op, Program};
use dtrp_core::torch::{Evaluation, LossEvent, TorchError, TorchStage, evaluate};
use dtrp_core::trace::Recording;
use dtrp_models::weights;
use dtrp_predictors::Provenance;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// How long a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    /// Batches of a whole epoch.
    pub(crate) batches_per_epoch: u32,
    /// Batches of the whole run.
    pub(crate) steps: u64,
    /// Updates of a module in a whole epoch.
    pub(crate) updates_per_epoch: u64,
    /// Updates of a module in the whole run.
    pub(crate) updates: u64,
}

/// A network under training.
pub(crate) struct Trainer {
    stages: Vec<TorchStage>,
    programs: Programs,
    options: Options,
    length: Length,
    parameters: Vec<usize>,
    predicts: Vec<bool>,
    kind: Kind,
    /// Of the first and the last module.
    devices: [Device; 2],
    channels_last: bool,
    plugin: bool,
}

impl Trainer {
    /// Builds the network for `data`, cuts it, and makes a stage of each module.
    pub(crate) fn new(config: &Config, data: &Data) -> Result<Self, Error> {
        let programs = Programs::new(config, data)?;
        let length = Length::of(config, &programs)?;
        let rate = rate::learning_rate(&config.optimizer, &length)?;
        let network = dtrp_models::build(&config.model.name, &config.model.options, &data.input())?;
        let devices = devices(&config.run.device, programs.plan.modules)?;
        let predicts = programs.predicts()?;
        let parts = Parts {
            config,
            method: programs.method,
            devices: &devices,
            predicts: &predicts,
            staleness: &programs.staleness()?,
            length: &length,
            rate: &rate,
        };
        let stages = parts.stages(network, &data.input())?;
        let parameters = stages
            .iter()
            .map(|stage| stage.module().params().map(|p| p.len()).sum())
            .collect();
        let executor = match config.run.executor {
            Executor::Threads => engine::Executor::Threads,
            Executor::Sequential => engine::Executor::Sequential,
        };
        let mut trainer = Self {
            stages,
            programs,
            options: Options {
                executor,
                watchdog: Duration::from_secs_f64(config.run.watchdog_seconds),
                recording: match config.run.trace {
                    TraceKind::Logical => Recording::Logical,
                    TraceKind::Timed => Recording::Timed,
                },
                ..Options::default()
            },
            length,
            parameters,
            predicts,
            kind: kind(config.run.dtype),
            devices: [devices[0], devices[devices.len() - 1]],
            channels_last: config.run.channels_last.unwrap_or(true),
            plugin: config.method.predictor.0.plugin.is_some(),
        };
        if let Some(path) = &config.model.init_from {
            trainer.load(path)?;
        }
        Ok(trainer)
    }

    /// How long the run is.
    pub(crate) fn length(&self) -> Length {
        self.length
    }

    /// The stages, module 1 first.
    pub(crate) fn stages(&self) -> &[TorchStage] {
        &self.stages
    }

    /// Number of parameters of each module.
    pub(crate) fn parameters(&self) -> &[usize] {
        &self.parameters
    }

    /// Most bytes of tensors on the GPUs under the modules so far; `None` if there are none.
    pub(crate) fn device_peak_bytes(&self) -> Option<u64> {
        let gpus = gpus(&self.stages)?;
        Some(gpus.iter().map(|gpu| gpu.peak_allocated_bytes).sum())
    }

    /// Makes every action last until its device has done it, for measuring.
    pub(crate) fn wait_for_devices(&mut self) {
        for stage in &mut self.stages {
            stage.wait_for_device(true);
        }
    }

    /// What traces hold from now on.
    pub(crate) fn record(&mut self, recording: Recording) {
        self.options.recording = recording;
    }

    /// Where the predictor comes from, if any module predicts; a plug-in is also noted in the log.
    pub(super) fn predictor(&self, config: &Config) -> Result<Option<Provenance>, Error> {
        if !self.predicts.contains(&true) {
            return Ok(None);
        }
        let provenance = dtrp_predictors::provenance(&config.method.predictor.0)
            .map_err(|error| Error::of_predictor(error, self.plugin))?;
        match self.plugin {
            true => tracing::info!("predictor {provenance}"),
            false => tracing::debug!("predictor {provenance}"),
        }
        Ok(Some(provenance))
    }

    /// How the engine runs programs.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The method's program for so many batches; of a program from a file there is only the one length.
    pub(crate) fn program(&self, batches: u32) -> Result<Program, Error> {
        self.programs.of(batches)
    }

    /// How many batches one program of an epoch covers: all of them, unless the program comes from a file.
    pub(crate) fn program_batches(&self) -> u32 {
        let fixed = self.programs.fixed.as_ref();
        fixed.map_or(self.length.batches_per_epoch, |program| program.batches)
    }

    /// Batches of the training set for module 1: those of epoch `epoch` (from 0) after the first `skip`.
    pub(crate) fn source(&self, data: &Data, epoch: u64, skip: u32, stop: &Stop) -> Result<Batches, Error> {
        let feed = self.feed(data, self.programs.plan.micro_batches)?;
        Ok(Batches::new(data.train.epoch(epoch, skip as usize), feed, stop.clone()))
    }

    /// Runs a program after `done` batches of the run.
    pub(crate) fn run(
        &mut self,
        program: &Program,
        done: u64,
        source: Batches,
    ) -> Result<Outcome, EngineError<TorchError>> {
        let mut source: Option<Box<dyn dtrp_core::torch::Source>> = Some(Box::new(source));
        for stage in &mut self.stages {
            stage.begin(done, source.take());
        }
        let outcome = engine::run(program, &mut self.stages, &self.options);
        for stage in &mut self.stages {
            // The loader's threads end with the program.
            stage.begin(done, None);
        }
        outcome
    }

    /// Calls `observer` with every batch's loss.
    pub(crate) fn on_loss(&mut self, observer: impl FnMut(LossEvent) + Send + 'static) {
        if let Some(last) = self.stages.last_mut() {
            last.on_loss(observer);
        }
    }

    /// Loss and accuracy on the test set.
    pub(crate) fn evaluate(&mut self, data: &Data, stop: &Stop) -> Result<Evaluation, EngineOrError> {
        let feed = self.feed(data, 1)?;
        let source = Batches::new(data.test.epoch(0, 0), feed, stop.clone());
        let batches = data.test.batches_per_epoch() as u32;
        let executor = self.options.executor;
        Ok(evaluate(&mut self.stages, batches, Box::new(source), executor)?)
    }

    /// Parameters and running statistics by name, module 1 first, copied.
    pub(crate) fn state(&self) -> Result<Vec<(String, Tensor)>, Error> {
        let mut all = Vec::new();
        for stage in &self.stages {
            all.extend(stage.state().map_err(|error| self.explain(error))?);
        }
        Ok(all)
    }

    /// What an error of a run means.
    pub(crate) fn explain_run(&self, error: EngineError<TorchError>) -> Error {
        Error::of_engine(error, self.plugin)
    }

    fn explain(&self, error: TorchError) -> Error {
        Error::of_torch(error, self.plugin, str::to_owned)
    }

    fn feed(&self, data: &Data, parts: u16) -> Result<Feed, Error> {
        let layout = Layout {
            kind: self.kind,
            channels_last: self.channels_last,
            parts,
        };
        Feed::new(&data.normalization(), layout, self.devices).map_err(|error| self.explain(error))
    }

    /// Starts from the weights in a file, which must be this network's, all of them.
    fn load(&mut self, path: &Path) -> Result<(), Error> {
        let wrong = |message: String| Error::InitFrom {
            path: path.to_owned(),
            message,
        };
        let tensors = weights::load(path)?;
        let of_stage = |stage: &TorchStage| -> Vec<String> {
            let params = stage.module().params().map(|spec| spec.name.clone());
            let buffers = stage.module().buffers().map(|(spec, _)| spec.name.clone());
            params.chain(buffers).collect()
        };
        let needed: Vec<String> = self.stages.iter().flat_map(of_stage).collect();
        check_names(&needed, &tensors).map_err(&wrong)?;
        for stage in &mut self.stages {
            stage.load(&tensors).map_err(|error| wrong(error.to_string()))?;
        }
        Ok(())
    }
}

/// An error of an evaluation, which the caller may want to look into.
pub(crate) enum EngineOrError {
    /// Of the run.
    Engine(EngineError<TorchError>),
    /// Before it.
    Other(Error),
}

impl From<EngineError<TorchError>> for EngineOrError {
    fn from(error: EngineError<TorchError>) -> Self {
        EngineOrError::Engine(error)
    }
}

impl From<Error> for EngineOrError {
    fn from(error: Error) -> Self {
        EngineOrError::Other(error)
    }
}

impl Length {
    fn of(config: &Config, programs: &Programs) -> Result<Self, Error> {
        let (plan, fixed) = (&programs.plan, programs.fixed.as_ref());
        // A program from a file is run as often as it fits into an epoch; the batches that are left over are not used.
        let batches_per_epoch = match fixed {
            Some(program) => plan.batches / program.batches * program.batches,
            None => plan.batches,
        };
        let updates = |batches: u32| -> Result<u64, Error> {
            let times = fixed.map_or(1, |program| batches / program.batches);
            let program = programs.of(batches)?;
            Ok(program.count(plan.modules, Op::Update) as u64 * u64::from(times))
        };
        let batches = u64::from(batches_per_epoch);
        let all = config.run.epochs.saturating_mul(batches);
        let unit = fixed.map_or(1, |program| u64::from(program.batches));
        let steps = config.run.max_steps.map_or(all, |most| all.min(most)) / unit * unit;
        if steps == 0 {
            let (file, own) = (unit, config.run.max_steps.unwrap_or(plan.batches.into()));
            return Err(Error::Fit(format!(
                "method.program has {file} batches, but the run only {own}: take more data, or a shorter program"
            )));
        }
        let updates_per_epoch = updates(batches_per_epoch)?;
        let rest = match (steps % batches) as u32 {
            0 => 0,
            rest => updates(rest)?,
        };
        Ok(Self {
            batches_per_epoch,
            steps,
            updates_per_epoch,
            updates: steps / batches * updates_per_epoch + rest,
        })
    }
}

/// Every tensor that is needed must be there, and every one that is there must be needed. PyTorch's batch counters are
/// neither.
fn check_names(needed: &[String], given: &HashMap<String, Tensor>) -> Result<(), String> {
    let mut missing: Vec<&str> = needed.iter().map(String::as_str).collect();
    missing.retain(|name| !given.contains_key(*name));
    let mut unused: Vec<&str> = given.keys().map(String::as_str).collect();
    unused.retain(|name| !name.ends_with("num_batches_tracked"));
    unused.retain(|name| !needed.iter().any(|needed| needed == name));
    unused.sort_unstable();
    let mut parts = Vec::new();
    for (what, names) in [("it lacks", missing), ("the network has no", unused)] {
        const SHOWN: usize = 4;
        if !names.is_empty() {
            let more = names.len().saturating_sub(SHOWN);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let names = names[..names.len().min(SHOWN)].join(", ");
            parts.push(format!("{what} {names}{more}"));
        }
    }
    match parts.is_empty() {
        true => Ok(()),
        false => Err(format!("not the weights of this network: {}", parts.join("; "))),
    }
}
