//! What a run is going to do and to hold, without training.

use crate::assembly::{Length, bytes_of_blocks};
use crate::error::{Result, TrainError};
use crate::events::{WorkerMemory, memory};
use crate::trainer::Trainer;
use dtrp_core::analysis;
use dtrp_core::costs::Load;
use dtrp_core::schedule::Program;

/// What a run is going to do and to hold.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// How long it is.
    pub length: Length,
    /// The program of an epoch.
    pub program: Program,
    /// Module 1 first.
    pub modules: Vec<ModulePlan>,
}

/// The part of one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulePlan {
    /// The names of its blocks.
    pub blocks: Vec<String>,
    /// Elements of its parameters.
    pub parameters: usize,
    /// Most updates between a unit's forward and its backward.
    pub staleness: u32,
    /// Most inputs stored at once.
    pub stored_inputs: usize,
    /// Most graphs alive at once.
    pub live_graphs: usize,
    /// Most versions of the weights in use at once.
    pub weight_versions: usize,
    /// Bytes of stored inputs at most.
    pub stored_bytes: u64,
    /// Bytes of everything as large as the weights: all versions, gradients, optimizer, predictions and probes.
    pub weight_bytes: u64,
    /// These by kind.
    pub memory: WorkerMemory,
}

impl Trainer {
    /// What the run is going to do and to hold.
    ///
    /// # Errors
    ///
    /// [`TrainError::Model`] where a block cannot be run to see the shape of its output.
    pub fn plan(&self) -> Result<RunPlan> {
        let program = self.program(self.length.batches_per_epoch)?;
        let bug = |fault: analysis::Fault| TrainError::Bug(fault.to_string());
        let report = analysis::analyse(&program, self.engine.capacity).map_err(bug)?;
        let loads = Load::of(&program).map_err(bug)?;
        let costs = bytes_of_blocks(&self.recipe)?.modules(&self.ranges)?;
        let element = self.recipe.settings.run.dtype.bytes() as u64;
        let mut modules = Vec::with_capacity(self.stages.len());
        for (index, stage) in self.stages.iter().enumerate() {
            let worker = &report.workers[index];
            let parameters = self.parameters()[index];
            let copies = worker.weight_versions + stage.optimizer_copies() + stage.prediction_copies();
            modules.push(ModulePlan {
                blocks: stage.module().block_names().map(str::to_owned).collect(),
                parameters,
                staleness: worker.max_staleness(),
                stored_inputs: worker.stored_inputs,
                live_graphs: worker.live_graphs,
                weight_versions: worker.weight_versions,
                stored_bytes: loads[index].memory(&costs[index]).inputs,
                memory: memory(stage, worker.weight_versions),
                weight_bytes: (copies * parameters) as u64 * element,
            });
        }
        Ok(RunPlan {
            length: self.length,
            program,
            modules,
        })
    }
}
