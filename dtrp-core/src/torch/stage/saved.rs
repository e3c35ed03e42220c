//! What a stage is made of when it is saved: tensors by name, and facts about them.
//!
//! | what | tensors | depends on |
//! |---|---|---|
//! | parameters and running statistics | `model` | the network alone |
//! | the optimizer's state | `optimizer` | the network and the optimizer |
//! | the predictor's, and what it reads of the last update; auxiliary heads | `predictor` | the cut |
//! | batches in flight | `flight` | the cut, and the moment within the program |
//!
//! Names are unique over the stages of a run, so that those of all of them can stand in one file: what depends on the cut begins
//! with `module.<k>.`.

use super::ActivationFacts;
use crate::schedule::Unit;
use crate::torch::prediction::PredictorFacts;
use crate::torch::saved::{Exact, SavedTensor, Tensors};
use serde::{Deserialize, Serialize};

/// A stage that has been saved between two actions of its program.
#[derive(Debug)]
pub struct SavedStage {
    /// Its tensors, in host memory.
    pub tensors: SavedTensors,
    /// All else.
    pub facts: StageFacts,
}

/// The tensors of a stage that has been saved, or of all stages of a run, by what they depend on.
#[derive(Debug, Default)]
pub struct SavedTensors {
    /// Parameters and running statistics, by PyTorch's names.
    pub model: Tensors,
    /// The optimizer's state: `<state>.<parameter>`, such as `momentum_buffer.conv1.weight`.
    pub optimizer: Tensors,
    /// What the predictor keeps, and auxiliary heads.
    pub predictor: Tensors,
    /// What belongs to batches in flight.
    pub flight: Tensors,
}

impl SavedTensors {
    /// Adds those of another stage of the same run.
    pub fn extend(&mut self, other: Self) {
        self.model.extend(other.model);
        self.optimizer.extend(other.optimizer);
        self.predictor.extend(other.predictor);
        self.flight.extend(other.flight);
    }
}

/// What is to be known of a saved stage beside its tensors. `serde` writes it to any format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageFacts {
    /// k, from 1.
    pub module: usize,
    /// K.
    pub modules: usize,
    /// Of the optimizer.
    pub optimizer: OptimizerFacts,
    /// Of the module.
    pub own: ModuleFacts,
    /// Of the batches in flight.
    pub flight: FlightFacts,
}

/// The state of one module's optimizer, without the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerFacts {
    /// Whose state it is, as the optimizer calls itself.
    pub kind: String,
    /// The module's updates so far.
    pub updates: u64,
    /// The parameters that it updates.
    pub parameters: Vec<String>,
    /// What it keeps of each of them: names of states.
    pub states: Vec<String>,
    /// Numbers that it keeps.
    pub numbers: Vec<(String, Exact)>,
}

/// What a module keeps from batch to batch beside weights and the optimizer's state, without the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleFacts {
    /// The predictor, if there is one.
    pub predictor: Option<PredictorFacts>,
    /// Whether the last gradient is kept for it.
    pub gradient: bool,
    /// Whether the last displacement is.
    pub displacement: bool,
    /// Most bytes of stored inputs at once.
    pub stored_input_peak_bytes: u64,
}

/// The batches in flight at a module, without the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlightFacts {
    /// How many batches of the run came before the program.
    pub first_batch: u64,
    /// The loss so far of the batch whose micro-batches are being added up.
    pub loss: Exact,
    /// The batches whose gradients wait for the update, with their samples. If there are any, their sum is among the tensors.
    pub pending: Vec<(u32, Exact)>,
    /// Inputs stored for the recomputation.
    pub stored: Vec<(Unit, ActivationFacts)>,
    /// How many weight versions beside the current one graphs live on.
    pub versions: usize,
    /// Graphs that wait for a gradient.
    pub graphs: Vec<GraphFacts>,
}

/// A graph that waits for its gradient, as what it is built from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFacts {
    /// The unit.
    pub unit: Unit,
    /// Its inputs.
    pub inputs: Vec<SavedTensor>,
    /// Its samples.
    pub samples: i64,
    /// Its labels, where the module computes a loss.
    pub labels: Option<SavedTensor>,
    /// The unit's share of its batch.
    pub share: Exact,
    /// Into how many micro-batches its batch is split.
    pub parts: u16,
    /// Index of the version that it lives on, from 0; `None` for the current weights.
    pub version: Option<usize>,
}

/// Names of what is saved of one module.
pub(super) struct Names {
    /// `module.<k>.`.
    pub(super) prefix: String,
}

impl Names {
    /// Of module k.
    pub(super) fn of(module: usize) -> Self {
        Self {
            prefix: format!("module.{module}."),
        }
    }

    /// Of the sum of gradients, of the last gradient, of the last displacement.
    pub(super) fn own(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Of a parameter or buffer; other cuts have other heads.
    pub(super) fn parameter(&self, name: &str, head: bool) -> String {
        if head { self.own(name) } else { name.to_owned() }
    }

    /// Of what belongs to a unit.
    pub(super) fn unit(&self, what: &str, unit: Unit) -> String {
        format!("{}{what}.{unit}", self.prefix)
    }

    /// Of a weight version.
    pub(super) fn version(&self, index: usize) -> String {
        format!("{}version.{index}", self.prefix)
    }
}

/// The sum of gradients that wait for an update.
pub(super) const SUM: &str = "gradient";
/// What predictors read of the last update.
pub(super) const LAST_GRADIENT: &str = "last_gradient";
pub(super) const DISPLACEMENT: &str = "displacement";
/// What belongs to units.
pub(super) const STORED: &str = "stored";
pub(super) const GRAPH: &str = "graph";

/// Of what an optimizer keeps of a parameter.
pub(super) fn state_name(state: &str, parameter: &str) -> String {
    format!("{state}.{parameter}")
}
