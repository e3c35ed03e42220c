//! The optimizer of every module, the loss, and how the learning rate goes.

use dtrp_text::words;
use serde::{Deserialize, Serialize};

/// The optimizer of every module, and the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSettings {
    /// Which optimizer.
    pub name: OptimizerName,
    /// The learning rate.
    pub lr: f64,
    /// μ of SGD.
    pub momentum: f64,
    /// SGD with Nesterov's look-ahead.
    pub nesterov: bool,
    /// β₁ and β₂ of Adam.
    pub betas: [f64; 2],
    /// ε of Adam.
    pub epsilon: f64,
    /// λ.
    pub weight_decay: f64,
    /// Whether biases and the parameters of norms decay too.
    pub decay_bias_and_norm: bool,
    /// Share of the target spread evenly over all classes, for the cross-entropy that is trained; not for that of the test set.
    pub label_smoothing: f64,
    /// How the learning rate goes over the run.
    pub schedule: RateSchedule,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self {
            name: OptimizerName::Sgd,
            lr: 0.1,
            momentum: 0.9,
            nesterov: false,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 5e-4,
            decay_bias_and_norm: true,
            label_smoothing: 0.0,
            schedule: RateSchedule::default(),
        }
    }
}

/// Which optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptimizerName {
    /// Stochastic gradient descent.
    Sgd,
    /// Adam (Kingma and Ba, 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    AdamW,
}

words!(OptimizerName, "optimizer", [Sgd "sgd", Adam "adam", AdamW "adamw"]);

/// How the learning rate goes over the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RateSchedule {
    /// Which curve.
    pub name: ScheduleName,
    /// Of `multi-step`: epochs of the run, a warm-up included, at which the rate is multiplied by γ, ascending.
    pub milestones: Vec<f64>,
    /// Of `multi-step`: γ.
    pub gamma: f64,
    /// Of `cosine` and `exponential`: the rate at the end.
    pub final_lr: f64,
    /// The rate first rises linearly to the full one over so many epochs; a cosine or an exponential goes over what is left after them.
    pub warmup_epochs: f64,
    /// From this share of it, 0..1.
    pub warmup_from: f64,
}

impl Default for RateSchedule {
    fn default() -> Self {
        Self {
            name: ScheduleName::Cosine,
            milestones: Vec::new(),
            gamma: 0.1,
            final_lr: 0.0,
            warmup_epochs: 0.0,
            warmup_from: 0.0,
        }
    }
}

/// Which curve the learning rate follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleName {
    /// The same rate throughout.
    Constant,
    /// Multiplied by γ at each milestone.
    MultiStep,
    /// Half a cosine (Loshchilov and Hutter, 2017, without restarts) over the run, or what a warm-up leaves of it.
    Cosine,
    /// Multiplied by the same factor at every update of the run, or what a warm-up leaves of it.
    Exponential,
}

words!(ScheduleName, "rate schedule", [
    Constant "constant", MultiStep "multi-step", Cosine "cosine", Exponential "exponential",
]);
