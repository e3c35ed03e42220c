//! Restoring a stage that has been saved.

use super::passes::bytes;
use super::saved::{
    DISPLACEMENT, FlightFacts, GraphFacts, LAST_GRADIENT, ModuleFacts, OptimizerFacts, SUM, SavedTensors, StageFacts,
    state_name,
};
use super::{Activation, Graph, TorchStage};
use crate::engine::Stage;
use crate::torch::TorchError;
use crate::torch::device::Message;
use crate::torch::network::Mode;
use crate::torch::optimizer::OptimizerMemory;
use crate::torch::saved::{Tensors, take};
use std::collections::{BTreeSet, HashMap};
use std::panic::resume_unwind;
use tch::Tensor;

/// What a thread lends to another one while it waits for that one's end.
struct Lent<T>(T);

// SAFETY: the two never use it at the same time. It holds references to tensors, which libtorch counts atomically; they are not
// `Sync` only because two threads might write to one.
unsafe impl<T> Send for Lent<T> {}

impl<T> Lent<T> {
    fn take(self) -> T {
        self.0
    }
}

impl TorchStage {
    /// Goes on where the stage was [saved](Self::save): whatever it is asked for from here on, it gives the same bits as the one
    /// that was saved. Called on a stage made in the same way, with the same cut, optimizer, predictor and options; between two
    /// programs as it is, within one after [`begin`](Self::begin), which drops what is in flight. `tensors` are those of this
    /// stage, or of all stages of the run.
    ///
    /// Graphs are built again from their inputs, on the weights that they were built on, by the contract of
    /// [`Mode::TrainKeepingStatistics`]: in training a block computes from its parameters and its input, not from statistics.
    ///
    /// # Errors
    ///
    /// [`TorchError::Unfit`], [`TorchError::Absent`], [`TorchError::Shape`] or [`TorchError::ElementType`] where it is not of a
    /// stage like this one; errors of the predictor and of libtorch. After an error the stage is half restored: make a new one.
    pub fn restore(&mut self, facts: &StageFacts, tensors: &SavedTensors) -> Result<(), TorchError> {
        let (ours, theirs) = (
            (self.options.module, self.options.modules),
            (facts.module, facts.modules),
        );
        if ours != theirs {
            return Err(TorchError::Unfit {
                what: format!(
                    "this is module {} of {}, not module {} of {}",
                    theirs.0, theirs.1, ours.0, ours.1
                ),
            });
        }
        self.as_worker(|stage| {
            stage.take_weights(&tensors.model)?;
            stage.take_heads(&tensors.predictor)?;
            stage.take_statistics(&tensors.model, &tensors.predictor)?;
            stage.take_optimizer(&[&facts.optimizer], &tensors.optimizer, true)?;
            stage.take_own(&facts.own, &tensors.predictor)?;
            stage.take_flight(&facts.flight, &tensors.flight)?;
            // Graphs were built with the statistics as they are. Should a block have changed them nevertheless:
            stage.take_statistics(&tensors.model, &tensors.predictor)
        })
    }

    /// Takes up parameters and running statistics alone, whatever the cut: `model` holds those of the whole network. Auxiliary
    /// heads stay as they are.
    ///
    /// # Errors
    ///
    /// [`TorchError::Absent`], [`TorchError::Shape`] or [`TorchError::ElementType`] where it is of another network; those of
    /// libtorch.
    pub fn restore_weights(&mut self, model: &Tensors) -> Result<(), TorchError> {
        self.as_worker(|stage| stage.take_weights(model))
    }

    /// Takes up the optimizer's state and the number of updates alone, whatever the cut: `facts` are those of all modules of the
    /// run that was saved. Where its modules had made different numbers of updates, the largest one counts. Auxiliary heads
    /// start anew.
    ///
    /// # Errors
    ///
    /// As [`restore`](Self::restore).
    pub fn restore_optimizer(&mut self, facts: &[&OptimizerFacts], optimizer: &Tensors) -> Result<(), TorchError> {
        self.as_worker(|stage| stage.take_optimizer(facts, optimizer, false))
    }

    /// Runs `body` in a thread that is set up as the worker's: what it computes has the same bits there, and on a GPU backward
    /// work runs on the stream that the forward ran on.
    fn as_worker(&mut self, body: impl FnOnce(&mut Self) -> Result<(), TorchError>) -> Result<(), TorchError> {
        let lent = Lent(body);
        let work = || {
            Stage::enter(self);
            match self.not_entered.take() {
                Some(error) => Err(error),
                None => {
                    let done = (lent.take())(self);
                    self.lane.leave().and(done)
                }
            }
        };
        std::thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn take_weights(&mut self, model: &Tensors) -> Result<(), TorchError> {
        let params = self.module.all_params().zip(&self.versions.weights().leaves);
        for ((spec, _), leaf) in params.filter(|((_, head), _)| !head) {
            take(model, &spec.name, leaf)?;
        }
        self.module
            .buffers()
            .try_for_each(|(spec, buffer)| take(model, &spec.name, buffer))
    }

    fn take_heads(&mut self, own: &Tensors) -> Result<(), TorchError> {
        let names = self.names();
        let params = self.module.all_params().zip(&self.versions.weights().leaves);
        for ((spec, _), leaf) in params.filter(|((_, head), _)| *head) {
            take(own, &names.parameter(&spec.name, true), leaf)?;
        }
        Ok(())
    }

    fn take_statistics(&mut self, model: &Tensors, own: &Tensors) -> Result<(), TorchError> {
        let names = self.names();
        for (spec, head, buffer) in self.module.all_buffers() {
            take(
                if head { own } else { model },
                &names.parameter(&spec.name, head),
                buffer,
            )?;
        }
        Ok(())
    }

    /// With `heads` that of the auxiliary head too, which is of this cut.
    fn take_optimizer<'a>(
        &mut self,
        facts: &[&'a OptimizerFacts],
        tensors: &Tensors,
        heads: bool,
    ) -> Result<(), TorchError> {
        let kind = self.options.optimizer.save().ok_or(TorchError::NotSaved)?.kind;
        if let Some(other) = facts.iter().find(|part| part.kind != kind) {
            return Err(TorchError::Unfit {
                what: format!("its optimizer is `{}`, but this run's is `{kind}`", other.kind),
            });
        }
        let names = |part: &'a OptimizerFacts| part.parameters.iter().map(move |name| (name.as_str(), part));
        let part_of: HashMap<_, _> = facts.iter().copied().flat_map(names).collect();
        let names = self.names();
        let parameters = self.module.all_params().map(|(spec, head)| {
            let name = names.parameter(&spec.name, head);
            let part = part_of.get(name.as_str()).copied().filter(|_| heads || !head);
            if part.is_none() && (heads || !head) {
                return Err(TorchError::Absent { name });
            }
            Ok((name, part))
        });
        let parameters: Vec<_> = parameters.collect::<Result<_, _>>()?;
        let parts = || parameters.iter().filter_map(|(_, part)| *part);
        // A module without parameters makes updates too.
        let latest = parts().max_by_key(|part| part.updates);
        let latest = latest.or(facts.iter().copied().max_by_key(|part| part.updates));
        let latest = latest.ok_or_else(|| TorchError::Unfit {
            what: "it says nothing of an optimizer".to_owned(),
        })?;
        let mut memory = OptimizerMemory::new(&kind);
        let numbers = latest.numbers.iter();
        memory.numbers = numbers.map(|(name, number)| (name.clone(), number.0)).collect();
        let states: BTreeSet<&String> = parts().chain([latest]).flat_map(|part| &part.states).collect();
        for state in states {
            let flat = self.module.layout().zeros(self.module.options())?;
            for ((name, part), view) in parameters.iter().zip(self.module.layout().views(&flat)?) {
                // What has not been updated has no state yet, where others have one: zeros, with which it began.
                let kept = part.is_some_and(|part| part.updates > 0 || part.states.contains(state));
                if kept {
                    take(tensors, &state_name(state, name), &view)?;
                }
            }
            memory.tensors.push((state.clone(), flat));
        }
        self.metrics.updates = latest.updates;
        tch::no_grad(|| self.options.optimizer.load(memory))
    }

    fn take_own(&mut self, facts: &ModuleFacts, tensors: &Tensors) -> Result<(), TorchError> {
        let names = self.names();
        let (layout, options) = (self.module.layout(), self.module.options());
        match (&mut self.options.forecaster, &facts.predictor) {
            (Some(forecaster), Some(facts)) => {
                forecaster.restore(facts, &names.prefix, tensors, || layout.zeros(options))?;
            }
            (None, None) => {}
            (ours, _) => {
                let what = if ours.is_some() {
                    "it has no predictor, but this run has one"
                } else {
                    "it has a predictor, but this run has none"
                };
                return Err(TorchError::Unfit { what: what.to_owned() });
            }
        }
        let read = |kept: bool, name: &str| -> Result<Option<Tensor>, TorchError> {
            if !kept {
                return Ok(None);
            }
            let flat = layout.zeros(options)?;
            take(tensors, &names.own(name), &flat)?;
            Ok(Some(flat))
        };
        self.last_gradient = read(facts.gradient, LAST_GRADIENT)?;
        self.displacement = read(facts.displacement, DISPLACEMENT)?;
        self.metrics.stored_input_peak_bytes = facts.stored_input_peak_bytes;
        Ok(())
    }

    fn take_flight(&mut self, facts: &FlightFacts, tensors: &Tensors) -> Result<(), TorchError> {
        let names = self.names();
        self.drop_flight();
        self.first_batch = facts.first_batch;
        self.losses.resume(facts.loss.0);
        self.pending
            .resume(facts.pending.iter().map(|(batch, n)| (*batch, n.0)));
        if !self.pending.is_empty() {
            take(tensors, &names.own(SUM), &self.gradient)?;
        }
        for (unit, facts) in &facts.stored {
            let input = Activation::restore(facts, tensors, self.device())?;
            self.stored_bytes += bytes(input.tensors());
            self.stored.insert(*unit, input);
        }
        let mut versions = Vec::new();
        for index in 0..facts.versions {
            let arena = self.versions.spare(&self.module)?;
            take(tensors, &names.version(index), &self.versions.arena(arena).flat)?;
            // No other version is to take its place.
            self.versions.hold(arena);
            versions.push(arena);
        }
        for graph in &facts.graphs {
            let arena = match graph.version {
                None => Some(self.versions.current()),
                Some(index) => versions.get(index).copied(),
            };
            let arena = arena.ok_or_else(|| TorchError::Unfit {
                what: format!("batch {} lives on weights that it does not have", graph.unit),
            })?;
            self.rebuild(graph, arena, tensors)?;
        }
        versions.into_iter().for_each(|arena| self.versions.release(arena));
        Ok(())
    }

    /// Builds a graph again: nothing is sent or told, and the statistics stay as they are.
    fn rebuild(&mut self, facts: &GraphFacts, arena: usize, tensors: &Tensors) -> Result<(), TorchError> {
        let unit = facts.unit;
        let inputs = facts.inputs.iter().map(|input| input.restore(tensors, self.device()));
        let leaves = self.leaves(&inputs.collect::<Result<Vec<_>, _>>()?)?;
        let labels = facts.labels.as_ref();
        let labels = labels.map(|labels| Message::restore(labels, tensors, self.device()));
        let mode = Mode::TrainKeepingStatistics;
        let weights = self.versions.arena(arena);
        let mut graph = Graph {
            outputs: self.module.forward(weights, &leaves, self.pass(mode, unit))?,
            inputs: leaves,
            samples: facts.samples,
            arena,
            labels: labels.transpose()?,
            share: facts.share.0,
            parts: facts.parts,
        };
        self.end_in_loss(&mut graph, unit, mode)?;
        self.versions.hold(arena);
        self.graphs.insert(unit, graph);
        Ok(())
    }
}
