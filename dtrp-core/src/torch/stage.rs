//! The stage that trains one module with libtorch.

use super::arena::{Arena, copy};
use super::batch::{Activation, LossEvent, Source};
use super::block::{Mode, Pass};
use super::error::TorchError;
use super::lane::Lane;
use super::learning_rate::LearningRate;
use super::loss::Loss;
use super::losses::Losses;
use super::message::Message;
use super::module::Module;
use super::optimizer::Optimizer;
use super::prediction::{Forecaster, Gain, State};
use super::readback::HostReads;
use super::shim;
use super::versions::Versions;
use super::worker::Worker;
use crate::engine::Stage;
use crate::schedule::Unit;
use dtrp_predictors::Context;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// What a stage is told once.
pub struct StageOptions {
    /// k, from 1.
    pub module: usize,
    /// K.
    pub modules: usize,
    /// The run's seed: initial weights, and randomness inside blocks.
    pub seed: u64,
    /// The loss, computed by the last module.
    pub loss: Loss,
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
    pub worker: Worker,
}

/// Counters of one stage.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
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
    /// The module's input as an autograd leaf; at the last module `output` is the loss.
    input: Tensor,
    output: Tensor,
    /// Index of the arena that the graph holds on to.
    arena: usize,
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
    /// Units and batches whose gradients wait for the update.
    pending: Vec<Unit>,
    stored: HashMap<Unit, Activation>,
    graphs: HashMap<Unit, Graph>,
    source: Option<Box<dyn Source>>,
    losses: Losses,
    first_batch: u64,
    stored_bytes: u64,
    metrics: Metrics,
    /// Why the thread could not be prepared; the first action tells it.
    not_entered: Option<TorchError>,
}

impl TorchStage {
    /// Makes the stage with the initial weights of its seed.
    ///
    /// # Errors
    ///
    /// When the device has no room, or is none.
    pub fn new(module: Module, options: StageOptions) -> Result<Self, TorchError> {
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
            pending: Vec::new(),
            stored: HashMap::new(),
            graphs: HashMap::new(),
            source: None,
            losses: Losses::default(),
            first_batch: 0,
            stored_bytes: 0,
            metrics: Metrics::default(),
            not_entered: None,
        })
    }

    /// Prepares for a program: where module 1 takes its data from, and how many batches of the run came before. Whatever an
    /// interrupted program left behind is dropped.
    pub fn begin(&mut self, first_batch: u64, source: Option<Box<dyn Source>>) {
        self.first_batch = first_batch;
        self.source = source;
        self.pending.clear();
        self.stored.clear();
        self.graphs.clear();
        self.versions.release_all();
        self.losses.clear();
        self.stored_bytes = 0;
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

    /// The counters.
    pub fn metrics(&self) -> Metrics {
        let forecaster = self.options.forecaster.as_ref();
        let probes = forecaster.map(Forecaster::reads).unwrap_or_default();
        Metrics {
            gain: forecaster.and_then(Forecaster::gain),
            predicting: forecaster.map(Forecaster::spent),
            reads: self.losses.reads().plus(probes),
            ..self.metrics
        }
    }

    /// An evaluation pass: current weights, running statistics, nothing kept.
    pub(super) fn look(&self, input: &Activation) -> Result<Activation, TorchError> {
        let pass = self.pass(Mode::Evaluate, Unit::batch(0));
        let tensor = input.tensor.receive(self.device())?;
        let output = self.module.forward(self.weights(), &tensor, pass)?;
        Ok(input.with(Message::new(output)?))
    }

    /// The device of the module.
    pub(super) fn device(&self) -> Device {
        self.module.options().1
    }

    /// The loss function.
    pub(super) fn loss(&self) -> Loss {
        self.options.loss
    }

    /// Current parameters and running statistics by name, copied to host memory.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>, TorchError> {
        let params = self
            .module
            .params()
            .map(|s| &s.name)
            .zip(&self.weights().leaves);
        let buffers = self.module.buffers().map(|(s, tensor)| (&s.name, tensor));
        let copy = |(name, tensor): (&String, &Tensor)| {
            let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?;
            Ok((name.clone(), copy(&tensor.f_contiguous()?)?))
        };
        params.chain(buffers).map(copy).collect()
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

    /// Runs the module with predicted weights if there is a horizon, else with the current ones. Returns the output and the
    /// index of the arena that was used.
    fn forward_with(
        &mut self,
        unit: Unit,
        input: &Tensor,
        horizon: Option<u32>,
        mode: Mode,
    ) -> Result<(Tensor, usize), TorchError> {
        let arena = match horizon {
            Some(horizon) => tch::no_grad(|| self.predict(unit, horizon))?,
            None => self.versions.current(),
        };
        let weights = self.versions.arena(arena);
        let output = self.module.forward(weights, input, self.pass(mode, unit))?;
        Ok((output, arena))
    }

    /// Predicts the weights `horizon` updates ahead. Returns the index of the arena that holds them.
    fn predict(&mut self, unit: Unit, horizon: u32) -> Result<usize, TorchError> {
        let start = Instant::now();
        let rates = self.options.rate.coming(self.metrics.updates, horizon);
        let context = Context {
            module: self.options.module,
            modules: self.options.modules,
            update: self.metrics.updates,
            learning_rates: &rates,
            optimizer: self.options.optimizer.state(),
        };
        let forecaster = self.options.forecaster.as_mut();
        let rule = forecaster.map(|f| f.rule(&context)).transpose()?.flatten();
        let used = match rule {
            Some(_) => self.versions.spare(&self.module)?,
            None => self.versions.current(),
        };
        let state = State {
            weights: &self.versions.weights().flat,
            direction: self.options.optimizer.direction(),
            gradient: self.last_gradient.as_ref(),
            displacement: self.displacement.as_ref(),
        };
        let Some(forecaster) = &mut self.options.forecaster else {
            return Ok(self.versions.current());
        };
        if let Some(rule) = rule {
            let mut out = self.versions.arena(used).flat.shallow_clone();
            forecaster.write(rule, &context, &state, &mut out)?;
        }
        forecaster.spend(start);
        forecaster.predicted(unit, &context, &state, &self.versions.arena(used).flat)?;
        Ok(used)
    }

    /// Runs the module with graph on its input as a leaf; the last module goes on to the loss.
    fn build_graph(
        &mut self,
        unit: Unit,
        input: &Activation,
        horizon: Option<u32>,
    ) -> Result<Option<Activation>, TorchError> {
        let leaf = input.tensor.receive(self.device())?.f_detach()?;
        let leaf = leaf.f_set_requires_grad(self.passes_down())?;
        let (output, arena) = self.forward_with(unit, &leaf, horizon, Mode::Train)?;
        let (output, sent) = if self.is_last() {
            (self.loss_of(unit, &output, input)?, None)
        } else {
            let sent = input.with(Message::new(output.f_detach()?)?);
            let pass = self.pass(Mode::Train, unit);
            let weights = self.versions.arena(arena);
            let output = match self.module.auxiliary(weights, &output, pass)? {
                Some(logits) => self.loss_of(unit, &logits, input)?,
                None => output,
            };
            (output, Some(sent))
        };
        self.versions.hold(arena);
        let graph = Graph {
            input: leaf,
            output,
            arena,
        };
        self.graphs.insert(unit, graph);
        Ok(sent)
    }

    /// The unit's loss, weighted by its share of the batch, so that the gradients of a batch's units add up to the gradient
    /// of its mean loss. It is of the weights' type, whatever precision the logits were computed in.
    fn loss_of(
        &mut self,
        unit: Unit,
        logits: &Tensor,
        input: &Activation,
    ) -> Result<Tensor, TorchError> {
        let (kind, device) = self.module.options();
        let labels = input.labels.receive(device)?;
        let mut loss = self.options.loss.of(&logits.f_to_kind(kind)?, &labels)?;
        if input.parts > 1 {
            loss = loss.f_mul_scalar(input.share)?;
        }
        let rate = self.options.rate.at(self.metrics.updates);
        self.losses.take(unit, input.parts, rate, &loss)?;
        Ok(loss)
    }

    /// Adds to the gradients that wait for the update, or starts them.
    fn accumulate(&mut self, grads: Vec<Option<Tensor>>) -> Result<(), TorchError> {
        let first = self.pending.is_empty();
        let mut known = (Vec::new(), Vec::new());
        for (view, grad) in self.gradient_views.iter_mut().zip(grads) {
            match grad {
                Some(grad) => {
                    known.0.push(view.shallow_clone());
                    known.1.push(grad);
                }
                None if first => drop(view.f_zero_()?),
                None => {}
            }
        }
        match first {
            true => shim::copy_all(&known.0, &known.1),
            false => shim::add_all(&known.0, &known.1),
        }
    }

    /// Keeps what the predictor reads of an update that is about to be made. Returns the weights before it, if needed.
    fn before_update(&mut self) -> Result<Option<Tensor>, TorchError> {
        let Some(forecaster) = &mut self.options.forecaster else {
            return Ok(None);
        };
        let start = Instant::now();
        let inputs = forecaster.inputs();
        if inputs.gradient {
            self.last_gradient = Some(copy(&self.gradient)?);
        }
        let weights = inputs.displacement.then(|| &self.versions.weights().flat);
        let before = weights.map(copy).transpose()?;
        forecaster.spend(start);
        Ok(before)
    }

    /// Keeps what the predictor reads of the update just made, and shows it to one that learns from it.
    fn after_update(&mut self, rate: f64, before: Option<Tensor>) -> Result<(), TorchError> {
        let StageOptions {
            module,
            modules,
            optimizer,
            forecaster,
            ..
        } = &mut self.options;
        let Some(forecaster) = forecaster else {
            return Ok(());
        };
        let start = Instant::now();
        let weights = &self.versions.weights().flat;
        self.displacement = before.map(|before| weights.f_sub(&before)).transpose()?;
        if forecaster.wants_observe() {
            let context = Context {
                module: *module,
                modules: *modules,
                update: self.metrics.updates,
                learning_rates: &[rate],
                optimizer: optimizer.state(),
            };
            let state = State {
                weights,
                direction: optimizer.direction(),
                gradient: self.last_gradient.as_ref(),
                displacement: self.displacement.as_ref(),
            };
            forecaster.observe(&context, &state)?;
        }
        forecaster.spend(start);
        Ok(())
    }

    fn apply_gradient(&mut self) -> Result<(), TorchError> {
        let mut batches: Vec<u32> = self.pending.drain(..).map(|unit| unit.batch).collect();
        batches.dedup();
        if batches.len() > 1 {
            let _ = self.gradient.f_mul_scalar_(1.0 / batches.len() as f64)?;
        }
        let before = self.before_update()?;
        self.versions.turn(&self.module)?;
        let rate = self.options.rate.at(self.metrics.updates);
        let weights = &mut self.versions.weights_mut().flat;
        self.options
            .optimizer
            .step(self.module.layout(), weights, &mut self.gradient, rate)?;
        self.metrics.updates += 1;
        self.after_update(rate, before)
    }
}

/// Bytes of a tensor's elements.
fn bytes(tensor: &Tensor) -> u64 {
    (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64
}

impl Stage for TorchStage {
    type Up = Activation;
    type Down = Message;
    type Error = TorchError;

    fn enter(&mut self) {
        self.options.worker.enter();
        self.not_entered = self.lane.enter(self.device()).err();
    }

    fn leave(&mut self) -> Result<(), TorchError> {
        if let Some(error) = self.not_entered.take() {
            return Err(error);
        }
        let told = self.losses.tell(true);
        let measured = self
            .options
            .forecaster
            .as_mut()
            .map_or(Ok(()), Forecaster::finish);
        // Whatever went wrong, the thread gets its stream back.
        self.lane.leave().and(told).and(measured)
    }

    fn input(&mut self, unit: Unit) -> Result<Activation, TorchError> {
        let none = || TorchError::Data("module 1 was not given any data".to_owned());
        if let Some(error) = self.not_entered.take() {
            return Err(error);
        }
        Activation::new(self.source.as_mut().ok_or_else(none)?.next(unit)?)
    }

    fn forward(
        &mut self,
        unit: Unit,
        input: Activation,
        horizon: Option<u32>,
    ) -> Result<Activation, TorchError> {
        let tensor = input.tensor.receive(self.device())?;
        let mode = Mode::TrainKeepingStatistics;
        let (output, _) = tch::no_grad(|| self.forward_with(unit, &tensor, horizon, mode))?;
        self.stored_bytes += bytes(&tensor);
        self.metrics.stored_input_peak_bytes =
            self.metrics.stored_input_peak_bytes.max(self.stored_bytes);
        let output = input.with(Message::new(output)?);
        self.stored.insert(unit, input.with(Message::local(tensor)));
        Ok(output)
    }

    fn forward_graph(
        &mut self,
        unit: Unit,
        input: Activation,
        horizon: Option<u32>,
    ) -> Result<Option<Activation>, TorchError> {
        self.build_graph(unit, &input, horizon)
    }

    fn recompute(&mut self, unit: Unit) -> Result<(), TorchError> {
        let input = self.stored.remove(&unit).ok_or(TorchError::Missing {
            what: "input",
            unit,
        })?;
        if let Some(forecaster) = &mut self.options.forecaster {
            forecaster.realised(unit, &self.versions.weights().flat)?;
        }
        self.build_graph(unit, &input, None)?;
        self.stored_bytes -= bytes(input.tensor.tensor());
        Ok(())
    }

    fn backward(
        &mut self,
        unit: Unit,
        delta: Option<Message>,
    ) -> Result<Option<Message>, TorchError> {
        let graph = self.graphs.remove(&unit).ok_or(TorchError::Missing {
            what: "graph",
            unit,
        })?;
        if let Some(forecaster) = &mut self.options.forecaster {
            forecaster.realised(unit, &self.versions.weights().flat)?;
        }
        self.versions.release(graph.arena);
        let mut delta = delta.map(|d| d.receive(self.device())).transpose()?;
        if self.options.gradient_shrink != 1.0 {
            let beta = self.options.gradient_shrink;
            delta = delta.map(|d| d.f_mul_scalar(beta)).transpose()?;
        }
        let below = self.passes_down();
        let weights = &self.versions.arena(graph.arena).leaves;
        let inputs: Vec<&Tensor> = weights
            .iter()
            .chain(below.then_some(&graph.input))
            .collect();
        let engine = self.lane.engine();
        let mut grads = shim::vjp(engine, &graph.output, delta.as_ref(), &inputs)?;
        let down = if below { grads.pop().flatten() } else { None };
        self.accumulate(grads)?;
        self.pending.push(unit);
        down.map(Message::new).transpose()
    }

    fn update(&mut self, _: u32) -> Result<(), TorchError> {
        tch::no_grad(|| self.apply_gradient())
    }
}
