//! Everything that a trainer is made from; measuring makes others from it with a few settings changed.

use crate::data::Loaders;
use crate::error::Result;
use crate::settings::Settings;
use crate::stop::Stop;
use dtrp_core::costs::Costs;
use dtrp_core::schedule::Program;
use dtrp_core::torch::{CrossEntropy, Loss, Optimizer};
use dtrp_data::Split;
use dtrp_models::{BlockInfo, Network};
use std::sync::{Arc, OnceLock};

/// What an optimizer of one module may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptimizerContext {
    /// k, from 1.
    pub module: usize,
    /// K.
    pub modules: usize,
    /// Updates between a unit's forward and its backward in the steady state, at most.
    pub staleness: u32,
}

/// Makes the optimizer of each module.
pub type OptimizerFactory = Arc<dyn Fn(OptimizerContext) -> Box<dyn Optimizer> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) settings: Settings,
    pub(crate) network: Network,
    pub(crate) split: Split,
    /// The caller's own; cross-entropy as the settings say if there is none.
    pub(crate) loss: Option<Arc<dyn Loss>>,
    /// The caller's own; as the settings say if there is none.
    pub(crate) optimizer: Option<OptimizerFactory>,
    /// The caller's own; the method's if there is none.
    pub(crate) program: Option<Program>,
    /// Of the blocks, where somebody has them already.
    pub(crate) costs: Option<Costs>,
    pub(crate) stop: Stop,
    /// Whether the network is to be used and not to be trained.
    pub(crate) looking: bool,
    /// What the blocks are, once they have been run to see; whatever settings change, the network and its images do not.
    pub(crate) described: Arc<OnceLock<Vec<BlockInfo>>>,
}

impl Recipe {
    /// The same with other settings.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut recipe = self.clone();
        change(&mut recipe.settings);
        recipe
    }

    pub(crate) fn loss(&self) -> Arc<dyn Loss> {
        self.loss.clone().unwrap_or_else(|| {
            Arc::new(CrossEntropy {
                label_smoothing: self.settings.optimizer.label_smoothing,
            })
        })
    }

    /// Whether the predictor comes from a shared library.
    pub(crate) fn plugin(&self) -> bool {
        self.settings.method.predictor.0.plugin.is_some()
    }

    /// What the blocks give and cost for one sample.
    pub(crate) fn blocks(&self) -> Result<Vec<BlockInfo>> {
        if let Some(blocks) = self.described.get() {
            return Ok(blocks.clone());
        }
        let blocks = self.network.describe(&self.input())?;
        Ok(self.described.get_or_init(|| blocks).clone())
    }

    /// The shape of a sample, and the number of classes.
    pub(crate) fn input(&self) -> dtrp_models::ModelInput {
        let shape = self.split.train.shape();
        dtrp_models::ModelInput {
            channels: shape.channels,
            height: shape.height,
            width: shape.width,
            classes: self.split.train.classes(),
        }
    }

    /// Training samples in use.
    pub(crate) fn samples(&self) -> usize {
        self.split
            .train
            .len()
            .min(self.settings.data.limit.unwrap_or(usize::MAX))
    }

    /// Samples in a whole batch.
    pub(crate) fn batch_size(&self) -> usize {
        self.settings.data.batch_size.min(self.samples())
    }

    /// Batches of an epoch.
    pub(crate) fn batches(&self) -> Result<u32> {
        Loaders::new(&self.split, &self.settings.data, self.settings.run.seed)?.batches()
    }
}
