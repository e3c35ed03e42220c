//! The verbs of a stage: forward, recompute, backward, update.

use super::batch::{Activation, READING};
use super::{Graph, TorchStage};
use crate::engine::{Doing, Stage};
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::device::{Message, vjp};
use crate::torch::network::Mode;
use crate::torch::prediction::Forecaster;
use tch::Tensor;

impl TorchStage {
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
        let sent = (!self.is_last()).then(|| -> Result<_, TorchError> {
            let output = Message::new(output.f_detach()?)?;
            Ok(input.with(output))
        });
        let sent = sent.transpose()?;
        let mut graph = Graph {
            input: leaf,
            output,
            arena,
            labels: Some(input.labels.share()),
            share: input.share,
            parts: input.parts,
        };
        if self.end_in_loss(&mut graph, unit, Mode::Train)? {
            let rate = self.options.rate.at(self.metrics.updates);
            let _busy = self.doing.now("telling the loss", None);
            self.losses.take(unit, input.parts, rate, &graph.output)?;
        }
        self.versions.hold(arena);
        self.graphs.insert(unit, graph);
        Ok(sent)
    }

    /// Goes on from the module's output to the unit's loss and returns true, where the module computes one; where not, the graph
    /// needs no labels.
    ///
    /// The loss is weighted by the unit's share of the batch, so that the gradients of a batch's units add up to the gradient
    /// of its mean loss. It is of the weights' type, whatever precision the logits were computed in.
    pub(super) fn end_in_loss(&self, graph: &mut Graph, unit: Unit, mode: Mode) -> Result<bool, TorchError> {
        let logits = if self.is_last() {
            graph.output.shallow_clone()
        } else {
            let weights = self.versions.arena(graph.arena);
            match self.module.auxiliary(weights, &graph.output, self.pass(mode, unit))? {
                Some(logits) => logits,
                None => {
                    graph.labels = None;
                    return Ok(false);
                }
            }
        };
        let (kind, device) = self.module.options();
        let missing = TorchError::Missing { what: "label", unit };
        let labels = graph.labels.as_ref().ok_or(missing)?.receive(device)?;
        let mut loss = self.options.loss.of(&logits.f_to_kind(kind)?, &labels)?;
        if graph.parts > 1 {
            loss = loss.f_mul_scalar(graph.share)?;
        }
        graph.output = loss;
        Ok(true)
    }
}

/// Bytes of a tensor's elements.
pub(super) fn bytes(tensor: &Tensor) -> u64 {
    (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64
}

impl Stage for TorchStage {
    type Up = Activation;
    type Down = Message;
    type Error = TorchError;

    fn doing(&self) -> Doing {
        self.doing.clone()
    }

    fn enter(&mut self) {
        self.options.worker.enter();
        self.not_entered = self.lane.enter(self.device()).err();
    }

    fn leave(&mut self) -> Result<(), TorchError> {
        if let Some(error) = self.not_entered.take() {
            return Err(error);
        }
        let busy = self.doing.now("telling the last losses", None);
        let told = self.losses.tell(true);
        drop(busy);
        let measured = self.options.forecaster.as_mut().map_or(Ok(()), Forecaster::finish);
        // Whatever went wrong, the thread gets its stream back.
        self.lane.leave().and(told).and(measured)
    }

    fn input(&mut self, unit: Unit) -> Result<Activation, TorchError> {
        let none = || TorchError::data("module 1 was not given any data");
        if let Some(error) = self.not_entered.take() {
            return Err(error);
        }
        let _busy = self.doing.now(READING, None);
        Activation::new(self.source.as_mut().ok_or_else(none)?.next(unit)?)
    }

    fn forward(&mut self, unit: Unit, input: Activation, horizon: Option<u32>) -> Result<Activation, TorchError> {
        let tensor = input.tensor.receive(self.device())?;
        let mode = Mode::TrainKeepingStatistics;
        let (output, _) = tch::no_grad(|| self.forward_with(unit, &tensor, horizon, mode))?;
        self.stored_bytes += bytes(&tensor);
        self.metrics.stored_input_peak_bytes = self.metrics.stored_input_peak_bytes.max(self.stored_bytes);
        let output = input.with(Message::new(output)?);
        self.stored.insert(unit, input.with(Message::local(tensor)));
        self.done(output)
    }

    fn forward_graph(
        &mut self,
        unit: Unit,
        input: Activation,
        horizon: Option<u32>,
    ) -> Result<Option<Activation>, TorchError> {
        let output = self.build_graph(unit, &input, horizon)?;
        self.done(output)
    }

    fn recompute(&mut self, unit: Unit) -> Result<(), TorchError> {
        let input = self
            .stored
            .remove(&unit)
            .ok_or(TorchError::Missing { what: "input", unit })?;
        if let Some(forecaster) = &mut self.options.forecaster {
            forecaster.realised(unit, &self.versions.weights().flat)?;
        }
        self.build_graph(unit, &input, None)?;
        self.stored_bytes -= bytes(input.tensor.tensor());
        self.done(())
    }

    fn backward(&mut self, unit: Unit, delta: Option<Message>) -> Result<Option<Message>, TorchError> {
        let graph = self
            .graphs
            .remove(&unit)
            .ok_or(TorchError::Missing { what: "graph", unit })?;
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
        let inputs: Vec<&Tensor> = weights.iter().chain(below.then_some(&graph.input)).collect();
        let engine = self.lane.engine();
        let mut grads = vjp(engine, &graph.output, delta.as_ref(), &inputs)?;
        let down = if below { grads.pop().flatten() } else { None };
        self.accumulate(unit.batch, graph.batch_samples(), grads)?;
        let down = down.map(Message::new).transpose()?;
        self.done(down)
    }

    fn update(&mut self, _: u32) -> Result<(), TorchError> {
        tch::no_grad(|| self.apply_gradient())?;
        self.done(())
    }
}
