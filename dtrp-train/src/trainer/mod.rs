//! The network as stages, one for each module, and how programs are run on them.

mod fit;
mod going_on;
mod plan;
mod rehearsal;
mod start;
mod taking_up;

pub use plan::{ModulePlan, RunPlan};
pub use rehearsal::Rehearsal;

use crate::assembly::{Length, Parts, Programs, Recipe, Seen, check_norms, devices, heads, learning_rate};
use crate::data::{BatchForm, Batches, Due, Feed, Interrupts, Loaders, Waited};
use crate::error::{Result, TrainError};
use crate::events::{Compensation, Event, Snapshot, Spine, Subscriber, Tally, gpus, parameters};
use crate::settings::{CheckpointSettings, Settings};
use crate::unused::{Facts, Unused, unused};
use dtrp_core::costs::Costs;
use dtrp_core::engine::{self, EngineError, EngineOptions, Execution, Pause};
use dtrp_core::schedule::{Method, Plan, Program};
use dtrp_core::torch::{Evaluation, OnOutput, Source, TorchError, TorchStage, evaluate_with};
use dtrp_core::trace::{Recording, Trace};
use dtrp_data::{Epoch, Loader};
use dtrp_predictors::Provenance;
use fit::Progress;
use start::{check_finite, load_weights};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use tch::Device;

/// A network under training, made by [`Training::build`](crate::Training::build). It owns its data and its state: how far it
/// has come, and what came of it.
pub struct Trainer {
    pub(crate) recipe: Recipe,
    pub(crate) loaders: Loaders,
    pub(crate) programs: Programs,
    pub(crate) stages: Vec<TorchStage>,
    pub(crate) engine: EngineOptions,
    pub(crate) length: Length,
    pub(crate) ranges: Vec<Range<usize>>,
    pub(crate) predictor: Option<Provenance>,
    pub(crate) costs: Option<Costs>,
    pub(crate) compensation: Option<Compensation>,
    pub(crate) spine: Spine,
    pub(crate) progress: Progress,
    parameters: Vec<usize>,
    unused: Vec<Unused>,
    /// Of the first and the last module.
    devices: [Device; 2],
}

/// What batches a program trains on, and where in the run it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// The epoch, from 0.
    pub(crate) epoch: u64,
    /// Batches of the epoch before the program.
    pub(crate) trained: u32,
    /// Batches of the run before the program.
    pub(crate) done: u64,
}

impl Trainer {
    /// Cuts the network, whose cuts are known by now, and makes a stage of each module. Weights to start from are read only
    /// where the run starts.
    pub(crate) fn assemble(recipe: Recipe, from_start: bool) -> Result<Self> {
        let Settings { run, data, method, .. } = &recipe.settings;
        // Threads of operators outside the workers: copies and initial values, which are no work.
        tch::set_num_threads(run.threads_per_worker.into());
        let loaders = Loaders::new(&recipe.split, data, run.seed)?;
        let batches = loaders.batches()?;
        let ranges = method.cuts.ranges(recipe.network.names(), method.modules)?;
        let ranges = ranges.ok_or_else(|| TrainError::Bug("cuts have not been placed".to_owned()))?;
        // Before anything is laid out for so many.
        check_micro_batches(&loaders, method.micro_batches)?;
        let programs = Programs::new(method, recipe.program.as_ref(), batches)?;
        let length = Length::of(run, &programs)?;
        let rate = learning_rate(&recipe.settings.optimizer, &length)?;
        let devices = devices(&run.device, method.modules)?;
        let (predicts, staleness) = (programs.predicts()?, programs.staleness()?);
        let gradients = programs.gradients()?;
        // Running every block once finds shapes that do not fit, before a thread starts.
        let blocks = recipe.blocks()?;
        let (heads, head_infos) = if gradients {
            (Vec::new(), Vec::new())
        } else {
            heads(&recipe, &blocks, &ranges)?
        };
        let seen = Seen {
            sizes: loaders.sizes(),
            samples: loaders.train.samples(),
            batches: length.steps.min(length.batches_per_epoch.into()) as usize,
            parts: programs.plan.micro_batches,
        };
        check_norms(&blocks, &head_infos, seen)?;
        let parts = Parts {
            recipe: &recipe,
            gradients,
            heads: &heads,
            ranges: &ranges,
            devices: &devices,
            predicts: &predicts,
            staleness: &staleness,
            length: &length,
            rate: &rate,
        };
        let mut stages = parts.stages()?;
        let model = &recipe.settings.model;
        let mut init_sha256 = model.init_sha256.clone();
        if let Some(path) = model.init_from.as_ref().filter(|_| from_start) {
            init_sha256 = Some(load_weights(&mut stages, path, model.init_sha256.as_deref())?);
        }
        check_finite(&stages, model.init_from.as_deref())?;
        let parameters = stages.iter().map(parameters).collect();
        let spine = Spine::default();
        if let Some(last) = stages.last_mut() {
            let spine = spine.clone();
            last.on_loss(move |loss| spine.loss(loss));
        }
        let predictor = predicts.contains(&true).then(|| provenance(&recipe)).transpose()?;
        let engine = EngineOptions {
            executor: run.executor,
            watchdog: Duration::from_secs_f64(run.watchdog_seconds),
            recording: run.trace,
            ..EngineOptions::default()
        };
        let devices = [devices[0], devices[devices.len() - 1]];
        let unused = unused(
            &recipe.settings,
            Facts {
                program: &programs.steady()?,
                staleness: &staleness,
                length: &length,
                network: &recipe.network,
                samples: [recipe.split.train.len(), recipe.split.test.len()],
                own_loss: recipe.loss.is_some(),
                own_optimizer: recipe.optimizer.is_some(),
            },
        );
        let mut recipe = recipe;
        recipe.settings.model.init_sha256 = init_sha256;
        if recipe.settings.checkpoint.on() && !stages.iter().all(TorchStage::can_be_saved) {
            tracing::warn!(
                "the optimizer does not say what it keeps between updates, so no checkpoint is made: implement `save` and `load` of \
                 `Optimizer`, or set checkpoint.keep_last: 0"
            );
            recipe.settings.checkpoint = CheckpointSettings::off();
        }
        // What a run says of itself comes from what runs.
        let (name, order) = programs.names();
        (recipe.settings.method.name, recipe.settings.method.order) = (name, Some(order));
        Ok(Self {
            loaders,
            programs,
            stages,
            engine,
            length,
            ranges,
            predictor,
            costs: None,
            compensation: None,
            spine,
            progress: Progress::default(),
            parameters,
            unused,
            devices,
            recipe,
        })
    }

    /// Calls `observer` with every event from now on.
    pub fn on_event(&mut self, observer: impl FnMut(&Event) + Send + 'static) {
        self.subscribe(observer);
    }

    /// Tells `subscriber` every event from now on; where it fails, the run ends.
    pub fn subscribe(&mut self, subscriber: impl Subscriber + 'static) {
        self.spine.subscribe(Box::new(subscriber));
    }

    /// The settings in force. What was measured stands in them (cuts, batch size, rate), so that they repeat the run.
    pub fn settings(&self) -> &Settings {
        &self.recipe.settings
    }

    /// The settings that have no effect in this run, whatever their values.
    pub fn unused(&self) -> &[Unused] {
        &self.unused
    }

    /// How long the run is.
    pub fn length(&self) -> Length {
        self.length
    }

    /// Loads what is trained on.
    pub fn train_set(&self) -> &Loader {
        &self.loaders.train
    }

    /// Loads what accuracy is measured on.
    pub fn test_set(&self) -> &Loader {
        &self.loaders.test
    }

    /// The blocks of each module.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// The stages, module 1 first; none where a worker that hangs has kept its own.
    pub fn stages(&self) -> &[TorchStage] {
        &self.stages
    }

    /// Number of parameters of each module.
    pub fn parameters(&self) -> &[usize] {
        &self.parameters
    }

    /// What each block costs, where that was measured or given to place the cuts.
    pub fn costs(&self) -> Option<&Costs> {
        self.costs.as_ref()
    }

    /// Where the predictor comes from, if any module predicts.
    pub fn predictor(&self) -> Option<&Provenance> {
        self.predictor.as_ref()
    }

    /// Most bytes of tensors on the GPUs under the modules so far; `None` if there are none.
    pub fn device_peak_bytes(&self) -> Option<u64> {
        let gpus = gpus(&self.stages)?;
        Some(gpus.iter().map(|gpu| gpu.peak_allocated_bytes).sum())
    }

    /// The program for so many batches; where one was given there is only the one length.
    ///
    /// # Errors
    ///
    /// [`TrainError::Schedule`] where the method cannot be laid out so.
    pub fn program(&self, batches: u32) -> Result<Program> {
        self.programs.of(batches)
    }

    /// How many batches one program of an epoch covers: all of them, unless the program was given.
    pub(crate) fn program_batches(&self) -> u32 {
        let fixed = self.programs.fixed.as_ref();
        fixed.map_or(self.length.batches_per_epoch, |program| program.batches)
    }

    /// Makes every action last until its device has done it, for measuring.
    pub(crate) fn wait_for_devices(&mut self) {
        for stage in &mut self.stages {
            stage.wait_for_device(true);
        }
    }

    /// What traces hold from now on.
    pub(crate) fn record(&mut self, recording: Recording) {
        self.engine.recording = recording;
    }

    /// Trains on the first `batches` batches of epoch `epoch` (from 0) in one program, outside any run: nobody is told, and
    /// nothing is evaluated. For measuring, and for loops of one's own.
    ///
    /// # Errors
    ///
    /// [`TrainError`] of a worker, of the data, or [`TrainError::Stopped`].
    pub fn stretch(&mut self, epoch: u64, batches: u32) -> Result<Tally> {
        let program = self.program(batches)?;
        self.stretch_of(&program, epoch).map(|(tally, _)| tally)
    }

    pub(crate) fn stretch_of(&mut self, program: &Program, epoch: u64) -> Result<(Tally, Trace)> {
        let position = Position {
            epoch,
            trained: 0,
            done: self.progress.done,
        };
        self.spine.now(None);
        let result = self.run(program, position);
        let (execution, tally) = result.map_err(|error| self.explain(error, " while measuring"))?;
        self.progress.done += u64::from(program.batches);
        Ok((tally, execution.trace))
    }

    /// Runs a program on the batches at `position`, outside any run. It ends at once where it is asked to stop.
    pub(crate) fn run(&mut self, program: &Program, position: Position) -> Result<(Execution, Tally), RunError> {
        self.forget_stopped();
        let interrupts = self.interrupts(None, &Due::default());
        let waited = self.open(position, position.trained, interrupts)?;
        let execution = engine::run(program, &mut self.stages, &self.engine);
        self.close(position);
        let execution = execution.map_err(RunError::Engine)?;
        let images = self.images(position.trained, position.trained + program.batches);
        let tally = Tally::of(&execution, images, waited.get());
        Ok((execution, tally))
    }

    /// Who may interrupt a program.
    fn interrupts(&self, pause: Option<Pause>, due: &Due) -> Interrupts {
        Interrupts {
            halt: self.spine.halt(),
            stop: self.recipe.stop.clone(),
            due: due.clone(),
            pause,
        }
    }

    /// Prepares the stages for a program, with batches from `first` of the epoch on (from 0). Returns the clock of its waiting.
    fn open(&mut self, position: Position, first: u32, interrupts: Interrupts) -> Result<Waited, RunError> {
        let (waited, mut source) = self.source(position, first, interrupts)?;
        for stage in &mut self.stages {
            stage.begin(position.done, source.take());
        }
        Ok(waited)
    }

    /// As [`open`](Self::open), for stages that hold what is in flight of the program.
    fn open_again(&mut self, position: Position, first: u32, interrupts: Interrupts) -> Result<Waited, RunError> {
        let (waited, mut source) = self.source(position, first, interrupts)?;
        for stage in &mut self.stages {
            stage.read_from(source.take());
        }
        Ok(waited)
    }

    /// Where module 1 reads, and the clock of its waiting.
    fn source(
        &self,
        position: Position,
        first: u32,
        interrupts: Interrupts,
    ) -> Result<(Waited, Option<Box<dyn Source>>), RunError> {
        let feed = self.feed(self.programs.plan.micro_batches)?;
        let epoch = self.loaders.train.epoch(position.epoch, first as usize);
        let source = Batches::new(epoch, feed, interrupts);
        let waited = source.waited();
        self.check_whole()?;
        Ok((waited, Some(Box::new(source))))
    }

    /// What comes after a program that has been stopped and can go on.
    fn close_for_now(&mut self) {
        for stage in &mut self.stages {
            // The loader's threads end here too.
            stage.read_from(None);
        }
    }

    /// What comes after a program.
    fn close(&mut self, position: Position) {
        if self.stages.is_empty() && self.spine.held() {
            // It is a subscriber that hangs: nobody can be told any more.
            self.spine = Spine::default();
        }
        for stage in &mut self.stages {
            // The loader's threads end with the program.
            stage.begin(position.done, None);
        }
    }

    /// Images in the batches `from` to `to` of an epoch, from 0.
    fn images(&self, from: u32, to: u32) -> u64 {
        let sizes = self.loaders.sizes();
        (sizes.up_to(to as usize) - sizes.up_to(from as usize)) as u64
    }

    /// Loss and accuracy of the current weights on the test set.
    ///
    /// # Errors
    ///
    /// [`TrainError`] of a worker, of the data, or [`TrainError::Stopped`].
    pub fn evaluate(&mut self) -> Result<Evaluation> {
        let evaluation = self.run_evaluation();
        evaluation.map_err(|error| self.explain(error, " while evaluating"))
    }

    pub(crate) fn run_evaluation(&mut self) -> Result<Evaluation, RunError> {
        let test = &self.loaders.test;
        let (epoch, batches) = (test.epoch(0, 0), test.batches_per_epoch());
        self.look(epoch, batches, Box::new(|_, _| Ok(())))
    }

    /// Evaluates what `epoch` loads and tells what the network gives. It is a program too: that of local learning, in which
    /// nothing comes back, run over stages that only look.
    pub(crate) fn look(&mut self, epoch: Epoch, batches: usize, on_output: OnOutput) -> Result<Evaluation, RunError> {
        self.check_whole()?;
        let feed = self.feed(1)?;
        let source = Batches::new(epoch, feed, self.interrupts(None, &Due::default()));
        let plan = Plan::new(self.stages.len(), batches as u32);
        let program = Method::named("local").and_then(|method| method.program(&plan));
        let options = EngineOptions {
            recording: Recording::Logical,
            ..self.engine.clone()
        };
        let program = program.map_err(TrainError::from)?;
        let source = Box::new(source);
        evaluate_with(&mut self.stages, &program, source, &options, on_output).map_err(RunError::Engine)
    }

    /// Parameters and running statistics as they are now, copied to host memory.
    ///
    /// # Errors
    ///
    /// [`TrainError::Libtorch`] where there is no room for the copy.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.check_whole()?;
        let mut tensors = Vec::new();
        for stage in &self.stages {
            tensors.extend(stage.state().map_err(|error| self.explain_torch(error))?);
        }
        let Progress { epochs, done, .. } = self.progress;
        let updates = done * u64::from(self.recipe.settings.method.micro_batches);
        Ok(Snapshot::new(epochs, done, updates, tensors))
    }

    /// After a worker has hung, there is nothing left to work with.
    fn check_whole(&self) -> Result<()> {
        if self.stages.len() == self.ranges.len() {
            return Ok(());
        }
        Err(TrainError::Fit(
            "a worker of this trainer hangs, and has kept its module: make another trainer".to_owned(),
        ))
    }

    /// Writes the current weights as safetensors under PyTorch's names; the file appears whole or not at all.
    ///
    /// # Errors
    ///
    /// [`TrainError::Weights`] when it cannot be written.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        self.snapshot()?.save(path)
    }

    /// What an error of a run means; `during` says what was going on, where it was asked to stop.
    pub(crate) fn explain(&self, error: RunError, during: &str) -> TrainError {
        match error {
            RunError::Engine(error) => TrainError::of_engine(error, self.recipe.plugin(), during),
            RunError::Other(error) => *error,
        }
    }

    fn explain_torch(&self, error: TorchError) -> TrainError {
        TrainError::of_torch(error, self.recipe.plugin(), None)
    }

    fn feed(&self, parts: u16) -> Result<Feed> {
        let run = &self.recipe.settings.run;
        let form = BatchForm {
            kind: run.dtype.kind(),
            channels_last: run.channels_last.unwrap_or(true),
            parts,
        };
        Feed::new(&self.loaders.normalization(), form, self.devices).map_err(|error| self.explain_torch(error))
    }
}

/// Why a program did not run to its end, which the caller may want to look into.
pub(crate) enum RunError {
    /// In it.
    Engine(EngineError<TorchError>),
    /// Before it.
    Other(Box<TrainError>),
}

impl From<TrainError> for RunError {
    fn from(error: TrainError) -> Self {
        RunError::Other(Box::new(error))
    }
}

/// Every batch must have a sample for each of its micro-batches.
fn check_micro_batches(loaders: &Loaders, parts: u16) -> Result<()> {
    let last = loaders.sizes().of(loaders.train.batches_per_epoch());
    if last >= usize::from(parts) {
        return Ok(());
    }
    let samples = loaders.train.samples();
    Err(TrainError::Fit(format!(
        "the last batch of an epoch has {last} of the {samples} samples and cannot be split into \
         method.micro_batches = {parts}; set data.drop_last: true, or another data.batch_size"
    )))
}

fn provenance(recipe: &Recipe) -> Result<Provenance> {
    let plugin = recipe.plugin();
    let provenance = dtrp_predictors::provenance(&recipe.settings.method.predictor.0);
    provenance.map_err(|source| TrainError::Predictor { plugin, source })
}
