//! The scalars a prediction depends on.

use std::fmt;

/// The scalars a prediction depends on.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The module that predicts, 1 … `modules`.
    pub module: usize,
    /// Into how many modules the network is cut (K).
    pub modules: usize,
    /// u: how many updates this module has made so far (its version).
    pub update: u64,
    /// η_1 … η_s: the learning rates of the coming s updates, taken from the schedule, in order.
    /// Their number is the horizon.
    pub learning_rates: &'a [f64],
    /// Which optimizer makes those updates, and its scalars.
    pub optimizer: OptimizerState,
}

impl Context<'_> {
    /// s: how many updates of this module lie between now and the moment the prediction is for.
    pub fn horizon(&self) -> u32 {
        // A horizon is at most twice the number of modules.
        u32::try_from(self.learning_rates.len()).unwrap_or(u32::MAX)
    }

    /// Σ η_i over the horizon; 0 for horizon 0.
    pub fn rate_sum(&self) -> f64 {
        self.learning_rates.iter().sum()
    }
}

/// Which optimizer a module uses, with the scalars that its coming updates depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptimizerState {
    /// Stochastic gradient descent in PyTorch's convention: g ← g + λw, v ← μv + g, then w ← w − ηv, or with
    /// Nesterov w ← w − η(g + μv). The direction d is v.
    Sgd {
        /// μ.
        momentum: f64,
        /// Whether the step looks ahead.
        nesterov: bool,
        /// λ.
        weight_decay: f64,
    },
    /// Adam or AdamW in PyTorch's convention. The direction d is m̂/(√v̂+ε), both moments corrected for bias with
    /// the step count t, which is [`Context::update`].
    Adam {
        /// β₁, the decay of the first moment.
        beta1: f64,
        /// β₂, the decay of the second moment.
        beta2: f64,
        /// ε.
        epsilon: f64,
        /// λ.
        weight_decay: f64,
        /// True for AdamW (w ← (1 − ηλ)w before the step), false for Adam (g ← g + λw).
        decoupled: bool,
    },
}

impl fmt::Display for OptimizerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sgd { .. } => "sgd",
            Self::Adam { decoupled: false, .. } => "adam",
            Self::Adam { decoupled: true, .. } => "adamw",
        })
    }
}
