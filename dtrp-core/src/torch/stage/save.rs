//! Saving a stage between two actions of its program.

use super::batch::nth;
use super::saved::{
    DISPLACEMENT, FlightFacts, GRAPH, GraphFacts, LAST_GRADIENT, ModuleFacts, Names, OptimizerFacts, STORED, SUM,
    SavedStage, SavedTensors, StageFacts, state_name,
};
use super::{Graph, TorchStage};
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::prediction::Forecaster;
use crate::torch::saved::{Exact, SavedTensor, Tensors, host};
use std::collections::BTreeMap;

impl TorchStage {
    /// Copies everything that the coming actions depend on to host memory. It may be called between any two actions, when the
    /// thread that executes them has [left](crate::engine::Stage::leave) the program, and changes nothing.
    ///
    /// The source of the data is not in it, nor what the engine holds: messages, which have a `save` of their own.
    ///
    /// # Errors
    ///
    /// [`TorchError::NotSaved`] where the optimizer does not say what it keeps; [`TorchError::Busy`] before the thread has left;
    /// those of libtorch: no room.
    pub fn save(&self) -> Result<SavedStage, TorchError> {
        let busy = |why| TorchError::Busy {
            module: self.options.module,
            why,
        };
        if self.losses.is_reading() {
            return Err(busy("losses are on their way from the device: leave the program first"));
        }
        if self.options.forecaster.as_ref().is_some_and(Forecaster::is_measuring) {
            return Err(busy("probes are on their way from the device: leave the program first"));
        }
        tch::no_grad(|| {
            self.lane.wait()?;
            let mut tensors = SavedTensors {
                model: self.state()?.into_iter().collect(),
                ..SavedTensors::default()
            };
            let facts = StageFacts {
                module: self.options.module,
                modules: self.options.modules,
                optimizer: self.save_optimizer(&mut tensors.optimizer)?,
                own: self.save_own(&mut tensors.predictor)?,
                flight: self.save_flight(&mut tensors.flight)?,
            };
            Ok(SavedStage { tensors, facts })
        })
    }

    /// Whether [`save`](Self::save) can be: the optimizer says what it keeps.
    pub fn can_be_saved(&self) -> bool {
        self.options.optimizer.save().is_some()
    }

    pub(super) fn names(&self) -> Names {
        Names::of(self.options.module)
    }

    fn save_optimizer(&self, tensors: &mut Tensors) -> Result<OptimizerFacts, TorchError> {
        let memory = self.options.optimizer.save().ok_or(TorchError::NotSaved)?;
        let names = self.names();
        let parameters = self.module.all_params();
        let parameters = parameters.map(|(spec, head)| names.parameter(&spec.name, head));
        let (kind, _) = self.module.options();
        for (state, flat) in &memory.tensors {
            if flat.f_kind()? != kind {
                return Err(TorchError::ElementType {
                    name: state.clone(),
                    found: flat.f_kind()?,
                    expected: kind,
                });
            }
            for (parameter, view) in parameters.clone().zip(self.module.layout().views(flat)?) {
                tensors.insert(state_name(state, &parameter), host(&view)?);
            }
        }
        let numbers = memory.numbers.into_iter();
        Ok(OptimizerFacts {
            kind: memory.kind,
            updates: self.metrics.updates,
            parameters: parameters.collect(),
            states: memory.tensors.into_iter().map(|(state, _)| state).collect(),
            numbers: numbers.map(|(name, number)| (name, Exact(number))).collect(),
        })
    }

    /// What depends on the cut: the head, the predictor, and what that reads.
    fn save_own(&self, tensors: &mut Tensors) -> Result<ModuleFacts, TorchError> {
        let names = self.names();
        let params = self.module.all_params().zip(&self.weights().leaves);
        let params = params.map(|((spec, head), leaf)| (&spec.name, head, leaf));
        let buffers = self.module.all_buffers().map(|(spec, head, t)| (&spec.name, head, t));
        for (name, _, tensor) in params.chain(buffers).filter(|(_, head, _)| *head) {
            tensors.insert(names.parameter(name, true), host(tensor)?);
        }
        for (name, tensor) in [(LAST_GRADIENT, &self.last_gradient), (DISPLACEMENT, &self.displacement)] {
            if let Some(tensor) = tensor {
                tensors.insert(names.own(name), host(tensor)?);
            }
        }
        let predictor = self.options.forecaster.as_ref();
        let predictor = predictor.map(|forecaster| forecaster.save(&names.prefix, tensors));
        Ok(ModuleFacts {
            predictor: predictor.transpose()?,
            gradient: self.last_gradient.is_some(),
            displacement: self.displacement.is_some(),
            stored_input_peak_bytes: self.metrics.stored_input_peak_bytes,
        })
    }

    fn save_flight(&self, tensors: &mut Tensors) -> Result<FlightFacts, TorchError> {
        let names = self.names();
        if !self.pending.is_empty() {
            tensors.insert(names.own(SUM), host(&self.gradient)?);
        }
        let stored: BTreeMap<_, _> = self.stored.iter().collect();
        let stored = stored
            .into_iter()
            .map(|(unit, input)| Ok((*unit, input.save(&names.unit(STORED, *unit), tensors)?)));
        let stored = stored.collect::<Result<_, TorchError>>()?;
        // Each version that graphs live on once.
        let mut versions = BTreeMap::new();
        let graphs: BTreeMap<_, _> = self.graphs.iter().collect();
        for graph in graphs.values().filter(|graph| graph.arena != self.versions.current()) {
            let next = versions.len();
            versions.entry(graph.arena).or_insert(next);
        }
        for (arena, index) in &versions {
            tensors.insert(names.version(*index), host(&self.versions.arena(*arena).flat)?);
        }
        let graphs = graphs
            .into_iter()
            .map(|(unit, graph)| graph.save(&names, *unit, versions.get(&graph.arena).copied(), tensors));
        Ok(FlightFacts {
            first_batch: self.first_batch,
            loss: Exact(self.losses.sum()),
            pending: self.pending.batches().map(|(batch, n)| (batch, Exact(n))).collect(),
            stored,
            versions: versions.len(),
            graphs: graphs.collect::<Result<_, TorchError>>()?,
        })
    }
}

impl Graph {
    fn save(
        &self,
        names: &Names,
        unit: Unit,
        version: Option<usize>,
        tensors: &mut Tensors,
    ) -> Result<GraphFacts, TorchError> {
        let name = names.unit(GRAPH, unit);
        let labels = self.labels.as_ref();
        let labels = labels.map(|labels| labels.save(&format!("{name}.labels"), tensors));
        let labels = labels.transpose()?;
        let inputs = self.inputs.iter().enumerate();
        let inputs = inputs.map(|(index, input)| SavedTensor::save(nth(&name, index), input, tensors));
        Ok(GraphFacts {
            unit,
            labels,
            inputs: inputs.collect::<Result<_, _>>()?,
            samples: self.samples,
            share: Exact(self.share),
            parts: self.parts,
            version,
        })
    }
}
