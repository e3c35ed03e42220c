//! Optimizers and learning-rate schedules, one type each, with the options that they have and no others.

use crate::settings::{OptimizerName, OptimizerSettings, RateSchedule, ScheduleName};

/// An optimizer with its learning rate, as [`Training::optimizer`](crate::Training::optimizer) takes it.
pub trait Optimize {
    /// Writes it into the settings.
    fn write(self, settings: &mut OptimizerSettings);
}

/// A learning-rate schedule, as [`Training::rate`](crate::Training::rate) takes it.
pub trait Rate {
    /// Writes it into the settings.
    fn write(self, settings: &mut RateSchedule);
}

/// Defines an optimizer: the options that all have, and its own.
macro_rules! optimizer {
    ($(#[$doc:meta])* $type:ident: $name:expr; $($(#[$of:meta])* $option:ident: $value:ty;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[must_use]
        pub struct $type(OptimizerSettings);

        impl $type {
            /// With this learning rate η; no weight decay.
            pub fn new(lr: f64) -> Self {
                Self(OptimizerSettings { name: $name, lr, weight_decay: 0.0, ..OptimizerSettings::default() })
            }

            /// λ (0 by default).
            pub fn weight_decay(self, decay: f64) -> Self {
                Self(OptimizerSettings { weight_decay: decay, ..self.0 })
            }

            /// Spares biases and the parameters of norms from weight decay.
            pub fn sparing_biases_and_norms(self) -> Self {
                Self(OptimizerSettings { decay_bias_and_norm: false, ..self.0 })
            }

            $(
                $(#[$of])*
                pub fn $option(self, $option: $value) -> Self {
                    Self(OptimizerSettings { $option, ..self.0 })
                }
            )*
        }

        impl Optimize for $type {
            fn write(self, settings: &mut OptimizerSettings) {
                // The loss and the schedule are set on their own.
                *settings = OptimizerSettings {
                    label_smoothing: settings.label_smoothing,
                    schedule: std::mem::take(&mut settings.schedule),
                    ..self.0
                };
            }
        }
    };
}

optimizer! {
    /// Stochastic gradient descent in PyTorch's convention: g ← g + λw; v ← μv + g; w ← w − ηv.
    Sgd: OptimizerName::Sgd;
    /// μ (0.9 by default).
    momentum: f64;
    /// Nesterov's look-ahead: w ← w − η(g + μv).
    nesterov: bool;
}

optimizer! {
    /// Adam (Kingma and Ba, 2015); weight decay is added to the gradient.
    Adam: OptimizerName::Adam;
    /// β₁ and β₂ (0.9 and 0.999 by default).
    betas: [f64; 2];
    /// ε (1e-8 by default).
    epsilon: f64;
}

optimizer! {
    /// AdamW (Loshchilov and Hutter, 2019): Adam with decoupled weight decay, w ← (1 − ηλ)w.
    AdamW: OptimizerName::AdamW;
    /// β₁ and β₂ (0.9 and 0.999 by default).
    betas: [f64; 2];
    /// ε (1e-8 by default).
    epsilon: f64;
}

/// Defines a schedule: all may have a warm-up.
macro_rules! schedule {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[must_use]
        pub struct $type(RateSchedule);

        impl $type {
            /// A linear rise over the first `epochs` epochs, from above the share `from` of the rate, 0..1, to the full one.
            pub fn warmup(self, epochs: f64, from: f64) -> Self {
                Self(RateSchedule { warmup_epochs: epochs, warmup_from: from, ..self.0 })
            }
        }

        impl Rate for $type {
            fn write(self, settings: &mut RateSchedule) {
                *settings = self.0;
            }
        }
    };
}

schedule! {
    /// The same rate throughout.
    Constant
}

schedule! {
    /// Half a cosine over the run (Loshchilov and Hutter, 2017, without restarts).
    Cosine
}

schedule! {
    /// The same factor at every update of the run, up or down.
    Exponential
}

schedule! {
    /// Steps down at milestones.
    MultiStep
}

impl Constant {
    /// The optimizer's rate.
    pub fn new() -> Self {
        Self(RateSchedule {
            name: ScheduleName::Constant,
            ..RateSchedule::default()
        })
    }
}

impl Default for Constant {
    fn default() -> Self {
        Self::new()
    }
}

impl Cosine {
    /// Down to this rate at the end of the run.
    pub fn to(final_lr: f64) -> Self {
        Self(RateSchedule {
            name: ScheduleName::Cosine,
            final_lr,
            ..RateSchedule::default()
        })
    }
}

impl Exponential {
    /// To this rate, above 0, at the last update of the run.
    pub fn to(final_lr: f64) -> Self {
        Self(RateSchedule {
            name: ScheduleName::Exponential,
            final_lr,
            ..RateSchedule::default()
        })
    }
}

impl MultiStep {
    /// Multiplies the rate by γ at each of these epochs, ascending.
    pub fn at(milestones: impl IntoIterator<Item = f64>, gamma: f64) -> Self {
        Self(RateSchedule {
            name: ScheduleName::MultiStep,
            milestones: milestones.into_iter().collect(),
            gamma,
            ..RateSchedule::default()
        })
    }
}
