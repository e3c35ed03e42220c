//! From a network and data to a trainer, one setting at a time.

use crate::assembly::{OptimizerContext, OptimizerFactory, Recipe};
use crate::data::Data;
use crate::error::{Result, TrainError};
use crate::events::Checkpoint;
use crate::measure::{RateCurve, RateRange, compensate, profile, range_test};
use crate::optimizers::{Optimize, Rate};
use crate::settings::{
    BatchCompensation, Bytes, CheckpointSettings, Cuts, Devices, ModelSettings, PredictorSpec, Recomputing, Settings,
};
use crate::stop::Stop;
use crate::trainer::Trainer;
use dtrp_core::costs::Costs;
use dtrp_core::engine::Executor;
use dtrp_core::schedule::{Program, Schedule};
use dtrp_core::torch::{Dtype, Init, Loss, Optimizer, ParamSpec, Precision};
use dtrp_core::trace::Recording;
use dtrp_models::{Fresh, Network, split_evenly};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A training that is being described. Everything has a default: DTRP on two workers, SGD with momentum, a cosine.
///
/// [`build`](Self::build) proves all that can be proven before a thread starts, measures where that was asked for, and gives
/// the [`Trainer`].
#[must_use]
pub struct Training {
    recipe: Recipe,
    /// The first thing that was asked for and does not exist.
    wrong: Option<TrainError>,
    /// What to go on from.
    checkpoint: Option<Checkpoint>,
}

impl Training {
    /// Trains `network`, from [`dtrp_models::build`] or blocks of one's own (`Vec<BlockSpec>`), on `data`.
    pub fn new(network: impl Into<Network>, data: Data) -> Self {
        let network = network.into();
        let settings = Settings {
            data: data.settings().clone(),
            model: ModelSettings {
                name: network.name.clone(),
                ..ModelSettings::default()
            },
            ..Settings::default()
        };
        Self::of(settings, network, data)
    }

    /// Trains what the settings name: network and data set by their names in the registries.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`], [`TrainError::Data`], [`TrainError::Model`] where something is wrong with them.
    pub fn from_settings(settings: Settings) -> Result<Self> {
        settings.check()?;
        let data = Data::from_settings(&settings.data)?;
        let network = dtrp_models::build(&settings.model.name, &settings.model.options, &data.input())?;
        Ok(Self::of(settings, network, data))
    }

    fn of(settings: Settings, network: Network, data: Data) -> Self {
        Self {
            recipe: Recipe {
                settings,
                network,
                split: data.split().clone(),
                loss: None,
                optimizer: None,
                program: None,
                costs: None,
                stop: Stop::default(),
                looking: false,
                described: Arc::default(),
            },
            wrong: None,
            checkpoint: None,
        }
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.recipe.settings);
        self
    }

    /// The method, with modules, order and micro-batches: `Dtrp::new(2)`, `Fdg::new(4).accumulate(2)`, or, chosen by its name,
    /// `(Method::named("dtrp")?, Plan::new(4, 1))`. The number of batches of the plan does not matter: programs are as long as
    /// epochs.
    pub fn method(mut self, schedule: impl Schedule) -> Self {
        match schedule.method() {
            Ok(method) => {
                let (plan, section) = (schedule.plan(), &mut self.recipe.settings.method);
                method.name.clone_into(&mut section.name);
                (section.modules, section.order) = (plan.modules, plan.order);
                (section.micro_batches, section.accumulate) = (plan.micro_batches, plan.accumulate);
            }
            Err(error) => self.wrong = self.wrong.or(Some(error.into())),
        }
        self
    }

    /// A program to run over and over instead of a method's own. Modules and micro-batches are its own.
    pub fn program(mut self, program: Program) -> Self {
        let section = &mut self.recipe.settings.method;
        section.name.clone_from(&program.method);
        (section.modules, section.order) = (program.modules(), Some(program.order));
        section.micro_batches = program.micro_batches.max(1);
        self.recipe.program = Some(program);
        self
    }

    /// The weight predictor of a method that predicts: a name, or a [`dtrp_predictors::Spec`] with options or a plug-in.
    pub fn predictor(self, predictor: impl Into<PredictorSpec>) -> Self {
        let predictor = predictor.into();
        self.set(|settings| settings.method.predictor = predictor)
    }

    /// Where the network is cut (evenly by default): [`Cuts::Auto`], or `[4, 7]` for the blocks below each cut.
    pub fn cuts(self, cuts: impl Into<Cuts>) -> Self {
        let cuts = cuts.into();
        self.set(|settings| settings.method.cuts = cuts)
    }

    /// What modules recompute (what the method does by default): [`Recomputing::Auto`], [`Recompute::None`] for all, or
    /// `[Recompute::Full, Recompute::None]` for each.
    ///
    /// [`Recompute::None`]: dtrp_core::schedule::Recompute::None
    pub fn recompute(self, recompute: impl Into<Recomputing>) -> Self {
        let recompute = recompute.into();
        self.set(|settings| settings.method.recompute = recompute)
    }

    /// What each block costs, for [`Cuts::Auto`], instead of measuring.
    pub fn costs(mut self, costs: Costs) -> Self {
        self.recipe.costs = Some(costs);
        self
    }

    /// The most bytes that a worker may hold, for [`Cuts::Auto`] and [`BatchCompensation::fill`].
    pub fn memory_budget(self, bytes: u64) -> Self {
        self.set(|settings| settings.method.memory_budget = Some(Bytes(bytes)))
    }

    /// What makes up for workers that wait.
    pub fn batch_compensation(self, compensation: BatchCompensation) -> Self {
        self.set(|settings| settings.method.batch_compensation = compensation)
    }

    /// β of FDG: multiplies the gradient that arrives at every module but the last.
    pub fn gradient_shrink(self, beta: f64) -> Self {
        self.set(|settings| settings.method.gradient_shrink = beta)
    }

    /// γ of DTRP: module k learns at lr·γ^(K−k).
    pub fn lr_shrink(self, gamma: f64) -> Self {
        self.set(|settings| settings.method.lr_shrink = gamma)
    }

    /// Spike compensation: a late gradient is applied at once with all its momentum.
    pub fn spike(self) -> Self {
        self.set(|settings| settings.method.spike = true)
    }

    /// Over so many epochs stale modules go from lr/staleness to lr.
    pub fn rescale_epochs(self, epochs: f64) -> Self {
        self.set(|settings| settings.method.rescale_epochs = epochs)
    }

    /// Measures every so manieth prediction (10 by default; 0: none).
    pub fn probe_every(self, predictions: u32) -> Self {
        self.set(|settings| settings.method.probe_every = predictions)
    }

    /// The head of every module but the last, for a method with local losses.
    pub fn auxiliary(self, head: &str) -> Self {
        self.set(|settings| head.clone_into(&mut settings.method.auxiliary))
    }

    /// The optimizer of every module: [`Sgd`](crate::Sgd), [`Adam`](crate::Adam), [`AdamW`](crate::AdamW).
    pub fn optimizer(self, optimizer: impl Optimize) -> Self {
        self.set(|settings| optimizer.write(&mut settings.optimizer))
    }

    /// An optimizer of one's own for every module, with this learning rate.
    pub fn optimizer_with(
        mut self,
        lr: f64,
        make: impl Fn(OptimizerContext) -> Box<dyn Optimizer> + Send + Sync + 'static,
    ) -> Self {
        let factory: OptimizerFactory = Arc::new(make);
        self.recipe.optimizer = Some(factory);
        self.set(|settings| settings.optimizer.lr = lr)
    }

    /// How the learning rate goes over the run: [`Constant`](crate::Constant), [`Cosine`](crate::Cosine),
    /// [`MultiStep`](crate::MultiStep).
    pub fn rate(self, rate: impl Rate) -> Self {
        self.set(|settings| rate.write(&mut settings.optimizer.schedule))
    }

    /// The loss; cross-entropy if there is none.
    pub fn loss(mut self, loss: impl Loss + 'static) -> Self {
        self.recipe.loss = Some(Arc::new(loss));
        self
    }

    /// Share of the target spread evenly over all classes, for the cross-entropy that is trained; the loss on the test set is
    /// without it.
    pub fn label_smoothing(self, share: f64) -> Self {
        self.set(|settings| settings.optimizer.label_smoothing = share)
    }

    /// Passes over the training data (40 by default).
    pub fn epochs(self, epochs: u64) -> Self {
        self.set(|settings| settings.run.epochs = epochs)
    }

    /// Stops after so many batches, if that comes earlier.
    pub fn max_steps(self, batches: u64) -> Self {
        self.set(|settings| settings.run.max_steps = Some(batches))
    }

    /// Of initial weights, order of the samples, augmentation and dropout (1 by default).
    pub fn seed(self, seed: u64) -> Self {
        self.set(|settings| settings.run.seed = seed)
    }

    /// A safetensors file with the weights to start from.
    pub fn init_from(self, path: impl Into<PathBuf>) -> Self {
        self.set(|settings| {
            settings.model.init_from = Some(path.into());
            settings.model.init_sha256 = None;
        })
    }

    /// Element type of weights and activations (f32 by default).
    pub fn dtype(self, dtype: Dtype) -> Self {
        self.set(|settings| settings.run.dtype = dtype)
    }

    /// How products of f32 numbers are computed.
    pub fn precision(self, precision: Precision) -> Self {
        self.set(|settings| settings.run.precision = precision)
    }

    /// One device for all modules, such as `"cuda:0"`, or one for each.
    pub fn device(self, device: impl Into<Devices>) -> Self {
        self.set(|settings| settings.run.device = device.into())
    }

    /// Threads inside one operator (1 by default).
    pub fn threads_per_worker(self, threads: u16) -> Self {
        self.set(|settings| settings.run.threads_per_worker = threads)
    }

    /// Who executes the workers; the result is the same.
    pub fn executor(self, executor: Executor) -> Self {
        self.set(|settings| settings.run.executor = executor)
    }

    /// Gives up when a worker waits for a neighbour for so long (ten minutes by default).
    pub fn watchdog(self, time: Duration) -> Self {
        self.set(|settings| settings.run.watchdog_seconds = time.as_secs_f64())
    }

    /// What is kept of every action of the first program.
    pub fn trace(self, recording: Recording) -> Self {
        self.set(|settings| settings.run.trace = recording)
    }

    /// With what the run can be asked to stop, the measuring before it included.
    pub fn stop(mut self, stop: &Stop) -> Self {
        self.recipe.stop = stop.clone();
        self
    }

    /// When the whole state is kept, for [`Event::Checkpoint`](crate::Event::Checkpoint).
    pub fn checkpoints(self, checkpoint: CheckpointSettings) -> Self {
        self.set(|settings| settings.checkpoint = checkpoint)
    }

    /// Goes on from a checkpoint instead of from initial weights. Where data, network, seed or optimizer are not those of its
    /// run, [`build`](Self::build) refuses; where the pipeline is another one (method, modules, cuts, order, …), weights,
    /// statistics and the optimizer's state are taken up, and the batches that were in flight are trained again. Otherwise what
    /// follows is, on a CPU, bit for bit what would have followed. What had been measured for its run is not measured again.
    pub fn resume(mut self, checkpoint: &Checkpoint) -> Self {
        self.checkpoint = Some(checkpoint.clone());
        self
    }

    /// The settings as they are so far.
    pub fn settings(&self) -> &Settings {
        &self.recipe.settings
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.recipe.network
    }

    /// Measures what each block of the network costs on this machine, as medians over `steps` batches.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and what can go wrong in training.
    pub fn profile(self, steps: u32) -> Result<Costs> {
        profile(&self.checked()?, steps)
    }

    /// Looks for a learning rate: trains, from the start weights, at rates that grow from batch to batch (Smith, 2017), and gives
    /// the losses. Nothing is kept of what it trains.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and what can go wrong in training, but for a loss that is no longer a number: that is an end
    /// of the range.
    pub fn find_rate(self, range: RateRange) -> Result<RateCurve> {
        let mut recipe = self.checked()?;
        compensate(&mut recipe)?;
        range_test(recipe, range)
    }

    /// Checks everything, measures what is to be measured, and makes the trainer.
    ///
    /// # Errors
    ///
    /// Every kind of [`TrainError`] that has to do with what was asked for; where something is measured, also what can go
    /// wrong in training.
    pub fn build(mut self) -> Result<Trainer> {
        let checkpoint = self.checkpoint.take();
        let mut recipe = self.checked()?;
        if let Some(checkpoint) = &checkpoint {
            take_measured(&mut recipe.settings, &checkpoint.state().settings);
        }
        let (compensation, costs) = compensate(&mut recipe)?;
        for part in [&recipe.split.train, &recipe.split.test] {
            for note in part.notes() {
                tracing::warn!("data: {note}");
            }
        }
        let mut trainer = Trainer::assemble(recipe, checkpoint.is_none())?;
        (trainer.compensation, trainer.costs) = (compensation, costs);
        if let Some(checkpoint) = &checkpoint {
            trainer.take_up(checkpoint)?;
        }
        for unused in trainer.unused().iter().filter(|unused| unused.set) {
            tracing::warn!("{unused}");
        }
        if let Some(provenance) = &trainer.predictor {
            if trainer.recipe.plugin() {
                tracing::info!("predictor {provenance}");
            } else {
                tracing::debug!("predictor {provenance}");
            }
        }
        Ok(trainer)
    }

    /// What a network that is only looked at is made from.
    pub(crate) fn looking(mut self) -> Result<Recipe> {
        let samples = self.recipe.samples();
        self.recipe.settings.only_looking(samples);
        self.recipe.program = None;
        self.recipe.looking = true;
        self.checked()
    }

    fn checked(self) -> Result<Recipe> {
        if let Some(error) = self.wrong {
            return Err(error);
        }
        let mut recipe = self.recipe;
        recipe.settings.check()?;
        if let Cuts::Before(places) = &recipe.settings.method.cuts {
            recipe.network = recipe.network.cut_inside(places)?;
            recipe.described = Arc::default();
        }
        let fresh = Fresh::of(&recipe.network, &recipe.settings.model.fresh)?;
        recipe.network = fresh.applied(recipe.network)?;
        if !recipe.looking {
            tell_fresh(&recipe.network);
        }
        // Before anything is laid out for so many.
        split_evenly(recipe.network.blocks.len(), recipe.settings.method.modules)?;
        recipe.settings = recipe.settings.resolved();
        Ok(recipe)
    }
}

/// Says what of a network that comes with its weights starts anew.
fn tell_fresh(network: &Network) {
    let params = || network.blocks.iter().flat_map(|block| &block.params);
    let is_given = |param: &&ParamSpec| matches!(param.init, Init::Given(_));
    let fresh: Vec<&str> = params()
        .filter(|param| !is_given(param))
        .map(|param| param.name.as_str())
        .collect();
    if !fresh.is_empty() && params().any(|param| is_given(&param)) {
        tracing::warn!(
            "model.file: {} start anew: the file is for another number of classes, or model.fresh names them",
            fresh.join(", ")
        );
    }
}

/// Puts in what was measured for the run that is gone on with, where it would be measured again.
fn take_measured(settings: &mut Settings, theirs: &Settings) {
    if settings.model.init_from == theirs.model.init_from {
        settings.model.init_sha256 = theirs.model.init_sha256.clone();
    }
    let asked = settings.method.batch_compensation.clone();
    if asked.fill || asked.balance {
        settings.method.batch_compensation = theirs.method.batch_compensation.clone();
        settings.method.memory_budget = theirs.method.memory_budget;
        settings.method.cuts = theirs.method.cuts.clone();
        settings.data.batch_size = theirs.data.batch_size;
        settings.optimizer.lr = theirs.optimizer.lr;
    } else if settings.method.modules == theirs.method.modules {
        if settings.method.cuts == Cuts::Auto {
            settings.method.cuts = theirs.method.cuts.clone();
        }
        if settings.method.recompute == Recomputing::Auto {
            settings.method.recompute = theirs.method.recompute.clone();
        }
    }
}
