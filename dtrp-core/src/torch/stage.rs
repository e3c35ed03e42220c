//! The stage that trains one module with libtorch.

use super::arena::{Arena, copy};
use super::batch::{Activation, LossEvent, Source};
use super::block::{Mode, Pass};
use super::error::TorchError;
use super::learning_rate::LearningRate;
use super::loss::Loss;
use super::module::Module;
use super::optimizer::Optimizer;
use super::prediction::{Forecaster, Gain, State};
use super::shim;
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
    /// Weight versions: one, or a ring of them while graphs live across updates.
    arenas: Vec<Arena>,
    /// Index of the current version.
    current: usize,
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
    on_loss: Option<Box<dyn FnMut(LossEvent) + Send>>,
    partial_loss: f64,
    first_batch: u64,
    stored_bytes: u64,
    metrics: Metrics,
}

impl TorchStage {
    /// Makes the stage with the initial weights of its seed.
    ///
    /// # Errors
    ///
    /// When the device has no room.
    pub fn new(module: Module, options: StageOptions) -> Result<Self, TorchError> {
        let arena = module.initial_arena(options.seed)?;
        let gradient = module.layout().zeros(module.options())?;
        Ok(Self {
            gradient_views: module.layout().views(&gradient)?,
            gradient,
            module,
            options,
            arenas: vec![arena],
            current: 0,
            last_gradient: None,
            displacement: None,
            pending: Vec::new(),
            stored: HashMap::new(),
            graphs: HashMap::new(),
            source: None,
            on_loss: None,
            partial_loss: 0.0,
            first_batch: 0,
            stored_bytes: 0,
            metrics: Metrics::default(),
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
        self.stored_bytes = 0;
        self.partial_loss = 0.0;
    }

    /// Calls `observer` with the loss of every batch; at the last module only.
    pub fn on_loss(&mut self, observer: impl FnMut(LossEvent) + Send + 'static) {
        self.on_loss = Some(Box::new(observer));
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The current weights.
    pub fn weights(&self) -> &Arena {
        &self.arenas[self.current]
    }

    /// The counters.
    pub fn metrics(&self) -> Metrics {
        let forecaster = self.options.forecaster.as_ref();
        Metrics {
            gain: forecaster.and_then(Forecaster::gain),
            predicting: forecaster.map(Forecaster::spent),
            ..self.metrics
        }
    }

    /// An evaluation pass: current weights, running statistics, nothing kept.
    pub(super) fn look(&self, input: &Activation) -> Result<Activation, TorchError> {
        let pass = self.pass(Mode::Evaluate, Unit::batch(0));
        let tensor =
            self.module
                .forward(self.weights(), &self.to_own_device(&input.tensor)?, pass)?;
        let mut output = input.with(tensor);
        output.labels = self.to_own_device(&output.labels)?;
        Ok(output)
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
            let tensor = copy(&tensor.f_detach()?.f_to_device(Device::Cpu)?)?;
            Ok((name.clone(), tensor))
        };
        params.chain(buffers).map(copy).collect()
    }

    /// Overwrites current parameters and running statistics by name; returns how many were taken.
    ///
    /// # Errors
    ///
    /// [`TorchError::Shape`] when a tensor has another shape.
    pub fn load(&mut self, tensors: &HashMap<String, Tensor>) -> Result<usize, TorchError> {
        self.module.load(&self.arenas[self.current], tensors)
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

    fn to_own_device(&self, tensor: &Tensor) -> Result<Tensor, TorchError> {
        Ok(tensor.f_to_device(self.module.options().1)?)
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
            None => self.current,
        };
        let output = self
            .module
            .forward(&self.arenas[arena], input, self.pass(mode, unit))?;
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
            Some(_) => self.spare_arena()?,
            None => self.current,
        };
        let state = State {
            weights: &self.arenas[self.current].flat,
            direction: self.options.optimizer.direction(),
            gradient: self.last_gradient.as_ref(),
            displacement: self.displacement.as_ref(),
        };
        let Some(forecaster) = &mut self.options.forecaster else {
            return Ok(self.current);
        };
        if let Some(rule) = rule {
            let mut out = self.arenas[used].flat.shallow_clone();
            forecaster.write(rule, &context, &state, &mut out)?;
        }
        forecaster.spend(start);
        forecaster.predicted(unit, &context, &state, &self.arenas[used].flat)?;
        Ok(used)
    }

    /// Runs the module with graph on its input as a leaf; the last module goes on to the loss.
    fn build_graph(
        &mut self,
        unit: Unit,
        input: &Activation,
        horizon: Option<u32>,
    ) -> Result<Option<Activation>, TorchError> {
        let leaf = self.to_own_device(&input.tensor)?.f_detach()?;
        let leaf = leaf.f_set_requires_grad(self.passes_down())?;
        let (output, arena) = self.forward_with(unit, &leaf, horizon, Mode::Train)?;
        let (output, sent) = if self.is_last() {
            (self.loss_of(unit, &output, input)?, None)
        } else {
            let sent = input.with(output.f_detach()?);
            let pass = self.pass(Mode::Train, unit);
            let logits = self.module.auxiliary(&self.arenas[arena], &output, pass)?;
            let output = match logits {
                Some(logits) => self.loss_of(unit, &logits, input)?,
                None => output,
            };
            (output, Some(sent))
        };
        let graph = Graph {
            input: leaf,
            output,
            arena,
        };
        self.graphs.insert(unit, graph);
        Ok(sent)
    }

    /// The unit's loss, weighted by its share of the batch, so that the gradients of a batch's units add up to the gradient
    /// of its mean loss.
    fn loss_of(
        &mut self,
        unit: Unit,
        logits: &Tensor,
        input: &Activation,
    ) -> Result<Tensor, TorchError> {
        let labels = self.to_own_device(&input.labels)?;
        let mut loss = self.options.loss.of(logits, &labels)?;
        if input.parts > 1 {
            loss = loss.f_mul_scalar(input.share)?;
        }
        let value = loss.f_double_value(&[])?;
        if !value.is_finite() {
            return Err(TorchError::Diverged { unit, loss: value });
        }
        self.partial_loss += value;
        if unit.micro == 0 || unit.micro == input.parts {
            let event = LossEvent {
                batch: unit.batch,
                loss: std::mem::take(&mut self.partial_loss),
                rate: self.options.rate.at(self.metrics.updates),
            };
            if let Some(observer) = &mut self.on_loss {
                observer(event);
            }
        }
        Ok(loss)
    }

    /// Adds to the gradients that wait for the update, or starts them.
    fn accumulate(&mut self, grads: Vec<Option<Tensor>>) -> Result<(), TorchError> {
        let first = self.pending.is_empty();
        for (view, grad) in self.gradient_views.iter_mut().zip(grads) {
            match (grad, first) {
                (Some(grad), true) => view.f_copy_(&grad)?,
                (Some(grad), false) => drop(view.f_add_(&grad)?),
                (None, true) => drop(view.f_zero_()?),
                (None, false) => {}
            }
        }
        Ok(())
    }

    fn in_use(&self, arena: usize) -> bool {
        self.graphs.values().any(|graph| graph.arena == arena)
    }

    /// An arena that is neither current nor held by a graph; a new one if there is none.
    fn spare_arena(&mut self) -> Result<usize, TorchError> {
        if let Some(index) =
            (0..self.arenas.len()).find(|index| *index != self.current && !self.in_use(*index))
        {
            return Ok(index);
        }
        self.arenas
            .push(Arena::zeros(self.module.layout(), self.module.options())?);
        Ok(self.arenas.len() - 1)
    }

    /// Makes room for the next version. Where graphs live on the current arena, that is another one, so that the graphs keep
    /// the weights that they were built on.
    fn turn_ring(&mut self) -> Result<(), TorchError> {
        if self.in_use(self.current) {
            let next = self.spare_arena()?;
            let mut flat = self.arenas[next].flat.shallow_clone();
            flat.f_copy_(&self.arenas[self.current].flat)?;
            self.current = next;
        }
        Ok(())
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
        let weights = inputs.displacement.then(|| &self.arenas[self.current].flat);
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
        let weights = &self.arenas[self.current].flat;
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
        self.turn_ring()?;
        let rate = self.options.rate.at(self.metrics.updates);
        let weights = &mut self.arenas[self.current].flat;
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
    type Down = Tensor;
    type Error = TorchError;

    fn enter(&mut self) {
        self.options.worker.enter();
    }

    fn input(&mut self, unit: Unit) -> Result<Activation, TorchError> {
        let none = || TorchError::Data("module 1 was not given any data".to_owned());
        Ok(self.source.as_mut().ok_or_else(none)?.next(unit)?.into())
    }

    fn forward(
        &mut self,
        unit: Unit,
        input: Activation,
        horizon: Option<u32>,
    ) -> Result<Activation, TorchError> {
        let tensor = self.to_own_device(&input.tensor)?;
        let mode = Mode::TrainKeepingStatistics;
        let (output, _) = tch::no_grad(|| self.forward_with(unit, &tensor, horizon, mode))?;
        self.stored_bytes += bytes(&tensor);
        self.metrics.stored_input_peak_bytes =
            self.metrics.stored_input_peak_bytes.max(self.stored_bytes);
        let output = input.with(output);
        self.stored.insert(unit, input.with(tensor));
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
            forecaster.realised(unit, &self.arenas[self.current].flat)?;
        }
        self.build_graph(unit, &input, None)?;
        self.stored_bytes -= bytes(&input.tensor);
        Ok(())
    }

    fn backward(
        &mut self,
        unit: Unit,
        delta: Option<Tensor>,
    ) -> Result<Option<Tensor>, TorchError> {
        let graph = self.graphs.remove(&unit).ok_or(TorchError::Missing {
            what: "graph",
            unit,
        })?;
        if let Some(forecaster) = &mut self.options.forecaster {
            forecaster.realised(unit, &self.arenas[self.current].flat)?;
        }
        let mut delta = delta.map(|d| self.to_own_device(&d)).transpose()?;
        if self.options.gradient_shrink != 1.0 {
            let beta = self.options.gradient_shrink;
            delta = delta.map(|d| d.f_mul_scalar(beta)).transpose()?;
        }
        let below = self.passes_down();
        let inputs: Vec<&Tensor> = self.arenas[graph.arena]
            .leaves
            .iter()
            .chain(below.then_some(&graph.input))
            .collect();
        let mut grads = shim::vjp(&graph.output, delta.as_ref(), &inputs)?;
        let down = if below { grads.pop().flatten() } else { None };
        self.accumulate(grads)?;
        self.pending.push(unit);
        Ok(down)
    }

    fn update(&mut self, _: u32) -> Result<(), TorchError> {
        tch::no_grad(|| self.apply_gradient())
    }
}
