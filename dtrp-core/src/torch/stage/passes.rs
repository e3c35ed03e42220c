//! The verbs of a stage: forward, recompute, backward, update.

use super::batch::{Activation, READING};
use super::{Gradients, Graph, TorchStage};
use crate::engine::{Doing, Stage};
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::device::{Message, vjp};
use crate::torch::network::Mode;
use crate::torch::prediction::Forecaster;
use tch::Tensor;

impl TorchStage {
    /// Runs the module with predicted weights if there is a horizon, else with the current ones. Returns the outputs and the
    /// index of the arena that was used.
    fn forward_with(
        &mut self,
        unit: Unit,
        inputs: &[Tensor],
        horizon: Option<u32>,
        mode: Mode,
    ) -> Result<(Vec<Tensor>, usize), TorchError> {
        let arena = match horizon {
            Some(horizon) => tch::no_grad(|| self.predict(unit, horizon))?,
            None => self.versions.current(),
        };
        let weights = self.versions.arena(arena);
        let outputs = self.module.forward(weights, inputs, self.pass(mode, unit))?;
        Ok((outputs, arena))
    }

    /// The module's inputs as leaves of a graph: those of floating point have a gradient where the module below waits for it.
    pub(super) fn leaves(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, TorchError> {
        let below = self.passes_down();
        let leaf = |input: &Tensor| {
            Ok(input
                .f_detach()?
                .f_set_requires_grad(below && input.is_floating_point())?)
        };
        inputs.iter().map(leaf).collect()
    }

    /// Runs the module with graph on its inputs as leaves; the last module goes on to the loss.
    fn build_graph(
        &mut self,
        unit: Unit,
        input: &Activation,
        horizon: Option<u32>,
    ) -> Result<Option<Activation>, TorchError> {
        let leaves = self.leaves(&input.receive(self.device())?)?;
        let (outputs, arena) = self.forward_with(unit, &leaves, horizon, Mode::Train)?;
        let sent = (!self.is_last()).then(|| -> Result<_, TorchError> {
            let detached = outputs.iter().map(Tensor::f_detach).collect::<Result<_, _>>()?;
            Ok(input.with(messages(detached)?))
        });
        let sent = sent.transpose()?;
        let mut graph = Graph {
            inputs: leaves,
            outputs,
            samples: input.samples(),
            arena,
            labels: Some(input.labels.share()),
            share: input.share,
            parts: input.parts,
        };
        if self.end_in_loss(&mut graph, unit, Mode::Train)? {
            let rate = self.options.rate.at(self.metrics.updates);
            let _busy = self.doing.now("telling the loss", None);
            self.losses
                .take(unit, input.parts, rate, single(graph.outputs.iter())?)?;
        }
        self.versions.hold(arena);
        self.graphs.insert(unit, graph);
        Ok(sent)
    }

    /// Gradients from above on this device, shrunk, one for each output.
    fn arrived(&self, unit: Unit, graph: &Graph, deltas: &Gradients) -> Result<Vec<Option<Tensor>>, TorchError> {
        if deltas.0.len() != graph.outputs.len() {
            return Err(TorchError::Missing { what: "gradient", unit });
        }
        let beta = self.options.gradient_shrink;
        let receive = |message: &Message| -> Result<Tensor, TorchError> {
            let delta = message.receive(self.device())?;
            if beta == 1.0 {
                Ok(delta)
            } else {
                Ok(delta.f_mul_scalar(beta)?)
            }
        };
        let all = deltas.0.iter();
        all.map(|message| message.as_ref().map(receive).transpose()).collect()
    }

    /// Goes on from the module's outputs to the unit's loss and returns true, where the module computes one; where not, the graph
    /// needs no labels.
    ///
    /// The loss is weighted by the unit's share of the batch, so that the gradients of a batch's units add up to the gradient
    /// of its mean loss. It is of the weights' type, whatever precision the logits were computed in.
    pub(super) fn end_in_loss(&self, graph: &mut Graph, unit: Unit, mode: Mode) -> Result<bool, TorchError> {
        let logits = if self.is_last() {
            single(graph.outputs.iter())?.shallow_clone()
        } else {
            let weights = self.versions.arena(graph.arena);
            match self.module.auxiliary(weights, &graph.outputs, self.pass(mode, unit))? {
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
        graph.outputs = vec![loss];
        Ok(true)
    }
}

/// Bytes of the elements of tensors.
pub(super) fn bytes<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> u64 {
    tensors.map(|t| (t.numel() * t.kind().elt_size_in_bytes()) as u64).sum()
}

/// Sends tensors that the calling thread has computed.
pub(super) fn messages(tensors: Vec<Tensor>) -> Result<Vec<Message>, TorchError> {
    tensors.into_iter().map(Message::new).collect()
}

/// What the last block of a network gives: one tensor.
pub(super) fn single<'a>(mut tensors: impl ExactSizeIterator<Item = &'a Tensor>) -> Result<&'a Tensor, TorchError> {
    let found = tensors.len();
    match (tensors.next(), found) {
        (Some(logits), 1) => Ok(logits),
        _ => Err(TorchError::Outputs { found }),
    }
}

impl Stage for TorchStage {
    type Up = Activation;
    type Down = Gradients;
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
        let inputs = input.receive(self.device())?;
        let mode = Mode::TrainKeepingStatistics;
        let (outputs, _) = tch::no_grad(|| self.forward_with(unit, &inputs, horizon, mode))?;
        self.stored_bytes += bytes(inputs.iter());
        self.metrics.stored_input_peak_bytes = self.metrics.stored_input_peak_bytes.max(self.stored_bytes);
        let output = input.with(messages(outputs)?);
        let kept = inputs.into_iter().map(Message::local).collect();
        self.stored.insert(unit, input.with(kept));
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
        self.stored_bytes -= bytes(input.tensors());
        self.done(())
    }

    fn backward(&mut self, unit: Unit, delta: Option<Gradients>) -> Result<Option<Gradients>, TorchError> {
        let graph = self
            .graphs
            .remove(&unit)
            .ok_or(TorchError::Missing { what: "graph", unit })?;
        if let Some(forecaster) = &mut self.options.forecaster {
            forecaster.realised(unit, &self.versions.weights().flat)?;
        }
        self.versions.release(graph.arena);
        let deltas = delta.map(|deltas| self.arrived(unit, &graph, &deltas)).transpose()?;
        let roots: Vec<_> = match &deltas {
            None => graph.outputs.iter().map(|loss| (loss, None)).collect(),
            // What nothing above depends on adds nothing.
            Some(deltas) => {
                let pairs = graph.outputs.iter().zip(deltas);
                pairs
                    .filter_map(|(output, delta)| Some((output, Some(delta.as_ref()?))))
                    .collect()
            }
        };
        let weights = &self.versions.arena(graph.arena).leaves;
        let wanted = graph.inputs.iter().filter(|input| input.requires_grad());
        let leaves: Vec<&Tensor> = weights.iter().chain(wanted).collect();
        let mut grads = vjp(self.lane.engine(), &roots, &leaves)?;
        let mut of_inputs = grads.split_off(weights.len()).into_iter();
        self.accumulate(unit.batch, graph.batch_samples(), grads)?;
        let down = self.passes_down().then(|| {
            let gradient = |input: &Tensor| {
                let gradient = if input.requires_grad() { of_inputs.next() } else { None };
                gradient.flatten().map(Message::new).transpose()
            };
            graph.inputs.iter().map(gradient).collect::<Result<_, _>>()
        });
        self.done(down.transpose()?.map(Gradients))
    }

    fn update(&mut self, _: u32) -> Result<(), TorchError> {
        tch::no_grad(|| self.apply_gradient())?;
        self.done(())
    }
}
