//! The stage that trains one module with libtorch.

mod batch;
mod evaluate;
mod loss;
mod losses;
mod passes;
mod pending;
mod restore;
mod save;
mod saved;
mod update;
mod versions;
mod worker;

pub use batch::{Activation, ActivationFacts, GradientFacts, Gradients, Input, LossEvent, Source};
pub use evaluate::{Evaluation, OnOutput, evaluate, evaluate_among, evaluate_with};
pub use loss::{CrossEntropy, Loss};
pub use saved::{FlightFacts, GraphFacts, ModuleFacts, OptimizerFacts, SavedStage, SavedTensors, StageFacts};
pub use worker::WorkerThread;

use crate::engine::Doing;
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::device::HostReads;
use crate::torch::device::Lane;
use crate::torch::device::Message;
use crate::torch::network::Module;
use crate::torch::network::{Arena, copy};
use crate::torch::network::{Mode, Pass};
use crate::torch::optimizer::LearningRate;
use crate::torch::optimizer::Optimizer;
use crate::torch::prediction::{Forecaster, Gain};
use losses::Losses;
use passes::messages;
use pending::Pending;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tch::{Device, Tensor};
use versions::Versions;

/// What a stage is told once.
pub struct StageOptions {
    /// k, from 1.
    pub module: usize,
    /// K.
    pub modules: usize,
    /// The run's seed: initial weights, and randomness inside blocks.
    pub seed: u64,
    /// The loss, computed by the last module, and at auxiliary heads.
    pub loss: Arc<dyn Loss>,
    /// The schedule of the learning rate.
    pub rate: LearningRate,
    /// The optimizer of this module.
    pub optimizer: Box<dyn Optimizer>,
    /// β: the gradient that arrives from above is multiplied by it (FDG's gradient shrinking; 1 leaves it alone). What is
    /// passed down is shrunk already, so it compounds.
    pub gradient_shrink: f64,
    /// Whether gradients travel between modules; not with local losses.
    pub gradients: bool,
    /// The predictor of this module, if the method predicts.
    pub forecaster: Option<Forecaster>,
    /// Settings of the thread that executes it.
    pub worker: WorkerThread,
}

/// Counters of one stage.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageMetrics {
    /// Most bytes of stored inputs at once, since the stage was made.
    pub stored_input_peak_bytes: u64,
    /// Updates made.
    pub updates: u64,
    /// What predictions were worth, if any were measured.
    pub gain: Option<Gain>,
    /// Time spent on predicting, as [`Forecaster::spent`] counts it; `None` if the module has no predictor.
    pub predicting: Option<Duration>,
    /// How the host has read numbers of a GPU; all 0 on a CPU.
    pub reads: HostReads,
}

/// A forward pass waiting for its gradient.
struct Graph {
    /// The module's inputs as autograd leaves; at a module with a loss it is the only output.
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    /// Samples of the unit.
    samples: i64,
    /// Index of the arena that the graph holds on to.
    arena: usize,
    /// The labels, where the module computes a loss.
    labels: Option<Message>,
    /// The unit's share of its batch, and into how many that is split.
    share: f64,
    parts: u16,
}

impl Graph {
    /// Samples of the whole batch.
    fn batch_samples(&self) -> f64 {
        // A unit's share of its batch is a ratio of whole numbers, so this is one too, but for rounding.
        (self.samples as f64 / self.share).round()
    }
}

/// One module, its weights, and everything that training it needs.
pub struct TorchStage {
    module: Module,
    options: StageOptions,
    lane: Lane,
    versions: Versions,
    gradient: Tensor,
    gradient_views: Vec<Tensor>,
    /// Last gradient and displacement, kept only for predictors that read them.
    last_gradient: Option<Tensor>,
    displacement: Option<Tensor>,
    /// The batches whose gradients wait for the update.
    pending: Pending,
    stored: HashMap<Unit, Activation>,
    graphs: HashMap<Unit, Graph>,
    source: Option<Box<dyn Source>>,
    losses: Losses,
    first_batch: u64,
    stored_bytes: u64,
    metrics: StageMetrics,
    /// Whether an action lasts until the device has done it.
    waits: bool,
    doing: Doing,
    /// Why the thread could not be prepared; the first action tells it.
    not_entered: Option<TorchError>,
}

impl TorchStage {
    /// Makes the stage with the initial weights of its seed.
    ///
    /// # Errors
    ///
    /// When the device has no room, or is none.
    pub fn new(module: Module, mut options: StageOptions) -> Result<Self, TorchError> {
        let doing = Doing::default();
        if let Some(forecaster) = &mut options.forecaster {
            forecaster.says(&doing);
        }
        let arena = module.initial_arena(options.seed)?;
        let lane = Lane::new(module.options().1)?;
        let gradient = module.layout().zeros(module.options())?;
        Ok(Self {
            gradient_views: module.layout().views(&gradient)?,
            gradient,
            module,
            options,
            lane,
            versions: Versions::new(arena),
            last_gradient: None,
            displacement: None,
            pending: Pending::default(),
            stored: HashMap::new(),
            graphs: HashMap::new(),
            source: None,
            losses: Losses::default(),
            first_batch: 0,
            stored_bytes: 0,
            metrics: StageMetrics::default(),
            waits: false,
            doing,
            not_entered: None,
        })
    }

    /// Prepares for a program: where module 1 takes its data from, and how many batches of the run came before. Whatever an
    /// interrupted program left behind is dropped.
    pub fn begin(&mut self, first_batch: u64, source: Option<Box<dyn Source>>) {
        self.first_batch = first_batch;
        self.source = source;
        self.drop_flight();
    }

    /// Takes data from elsewhere from now on, in the middle of a program too: what is in flight stays.
    pub fn read_from(&mut self, source: Option<Box<dyn Source>>) {
        self.source = source;
    }

    fn drop_flight(&mut self) {
        self.pending.clear();
        self.stored.clear();
        self.graphs.clear();
        self.versions.release_all();
        self.losses.clear();
        self.stored_bytes = 0;
    }

    /// With `true`, an action lasts until the device has done it, so that the times of a trace are those of the work; a GPU is
    /// slower so. On a CPU it always does.
    pub fn wait_for_device(&mut self, wait: bool) {
        self.waits = wait;
    }

    /// The result of an action that has been given to the device.
    fn done<T>(&self, result: T) -> Result<T, TorchError> {
        if self.waits {
            self.lane.wait()?;
        }
        Ok(result)
    }

    /// Calls `observer` with the loss of every batch, in their order; at the last module only. On a GPU a loss is told when it
    /// has arrived, some batches later, and at the latest when the program ends.
    pub fn on_loss(&mut self, observer: impl FnMut(LossEvent) + Send + 'static) {
        self.losses.observe(observer);
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The current weights.
    pub fn weights(&self) -> &Arena {
        self.versions.weights()
    }

    /// How many tensors as large as the weights it keeps all the time, for updates: the gradient and the optimizer's state.
    pub fn optimizer_copies(&self) -> usize {
        1 + self.options.optimizer.copies()
    }

    /// How many tensors as large as the weights predicting takes at most: Ŵ, what the predictor reads of the last update, and
    /// an open probe. What a custom predictor keeps for itself is not known.
    pub fn prediction_copies(&self) -> usize {
        let forecaster = self.options.forecaster.as_ref();
        forecaster.map_or(0, |forecaster| 1 + forecaster.copies())
    }

    /// The counters.
    pub fn metrics(&self) -> StageMetrics {
        let forecaster = self.options.forecaster.as_ref();
        let probes = forecaster.map(Forecaster::reads).unwrap_or_default();
        StageMetrics {
            gain: forecaster.and_then(Forecaster::gain),
            predicting: forecaster.map(Forecaster::spent),
            reads: self.losses.reads().plus(probes),
            ..self.metrics
        }
    }

    /// An evaluation pass: current weights, running statistics, nothing kept.
    fn look(&self, input: &Activation) -> Result<Activation, TorchError> {
        let pass = self.pass(Mode::Evaluate, Unit::batch(0));
        let inputs = input.receive(self.device())?;
        let outputs = self.module.forward(self.weights(), &inputs, pass)?;
        Ok(input.with(messages(outputs)?))
    }

    /// The device of the module.
    fn device(&self) -> Device {
        self.module.options().1
    }

    /// The loss function.
    fn loss(&self) -> &dyn Loss {
        &*self.options.loss
    }

    /// Current parameters and running statistics by name, copied to host memory.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>, TorchError> {
        let params = self.module.params().zip(&self.weights().leaves);
        let params = params.flat_map(|(s, leaf)| std::iter::once(&s.name).chain(&s.also).map(move |name| (name, leaf)));
        let buffers = self.module.buffers().map(|(s, tensor)| (&s.name, tensor));
        let copy = |(name, tensor): (&String, &Tensor)| {
            let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?;
            Ok((name.clone(), copy(&tensor.f_contiguous()?)?))
        };
        params.chain(buffers).map(copy).collect()
    }

    /// The names of current parameters and running statistics that hold numbers which are not finite.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn not_finite(&self) -> Result<Vec<String>, TorchError> {
        let params = self.module.params().map(|s| &s.name).zip(&self.weights().leaves);
        let buffers = self.module.buffers().map(|(s, tensor)| (&s.name, tensor));
        let mut names = Vec::new();
        for (name, tensor) in params.chain(buffers) {
            let finite = tch::no_grad(|| tensor.f_isfinite()?.f_all())?;
            if finite.f_int64_value(&[])? == 0 {
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    /// Overwrites current parameters and running statistics by name; returns how many were taken.
    ///
    /// # Errors
    ///
    /// [`TorchError::Shape`] when a tensor has another shape.
    pub fn load(&mut self, tensors: &HashMap<String, Tensor>) -> Result<usize, TorchError> {
        self.module.load(self.versions.weights(), tensors)
    }

    /// Whether the module below waits for a gradient.
    fn passes_down(&self) -> bool {
        self.options.gradients && self.options.module > 1
    }

    fn is_last(&self) -> bool {
        self.options.module == self.options.modules
    }

    fn pass(&self, mode: Mode, unit: Unit) -> Pass {
        let batch = self.first_batch + u64::from(unit.batch);
        Pass {
            mode,
            seed: self.options.seed,
            batch: (batch << 16) | u64::from(unit.micro),
            block: 0,
        }
    }
}
