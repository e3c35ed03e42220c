//! The predictors that come with the crate, one file each.
//!
//! | name | Ŵ | exact when |
//! |---|---|---|
//! | [`none`](None) | w | nothing moves |
//! | [`momentum`](Momentum) | w − (Σ η_i)·d | momentum is in its steady state |
//! | [`damped`](Damped) | w − (Σ η_i μ^i)·d | all coming gradients are 0, no weight decay |
//! | [`decayed`](Decayed) | s real steps of SGD with gradient 0 | all coming gradients are 0 |
//! | [`difference`](Difference) | w + s·Δ | the displacement is constant |
//! | [`adam`](Adam) | w − Σ η_i r_i·d | gradients are 0, second moment frozen, ε = 0, no decay |
//! | [`adamw`](AdamW) | the same with decoupled decay | gradients are 0, second moment frozen, ε = 0 |
//! | [`adaptive`](Adaptive) | w − c·(Σ η_i)·d, c fitted while training | what comes is parallel to d |
//!
//! All are linear rules. All but `none` take `rho` ∈ [0, 1], the delay regulator, which acts on each in the same way: the prediction
//! goes only the share ρ of its way, w + ρ·(Ŵ − w). For `momentum`, `damped`, `difference` and `adam` that multiplies
//! the one coefficient; for `adaptive` the fitted c after its clamp; for `decayed` and `adamw` it also draws the
//! coefficient of the weights towards 1.

mod adam;
mod adamw;
mod adaptive;
mod damped;
mod decayed;
mod difference;
mod momentum;
mod none;

use crate::{Description, Kind, OptionSpec};
pub use adam::Adam;
pub use adamw::AdamW;
pub use adaptive::Adaptive;
pub use damped::Damped;
pub use decayed::Decayed;
pub use difference::Difference;
pub use momentum::Momentum;
pub use none::None;

/// The option that every rule with a horizon term takes.
const RHO: OptionSpec = OptionSpec::number(
    "rho",
    1.0,
    0.0..=1.0,
    "how much of the predicted way to go: w + rho·(Ŵ − w); 0 predicts nothing",
);

const fn describe(
    name: &'static str,
    summary: &'static str,
    formula: &'static str,
    options: &'static [OptionSpec],
) -> Description {
    Description {
        name,
        version: env!("CARGO_PKG_VERSION"),
        summary,
        formula,
        licence: env!("CARGO_PKG_LICENSE"),
        kind: Kind::Linear,
        options,
    }
}
