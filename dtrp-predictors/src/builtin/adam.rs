//! `adam`: the first moment decays, the second is frozen.

use super::{RHO, describe};
use crate::{
    Coefficients, Context, Definition, Description, Inputs, OptimizerState, Options, Predictor, PredictorError,
    Registration, Rule,
};

/// Ŵ = w − Σ_i η_i r_i·d: Adam, run ahead with gradient 0 and its second moment frozen.
///
/// FTPipe's Adam predictor (Eliad et al., ATC 2021). In step t+i the first moment is β₁^i·m, the second still v, and both
/// bias corrections have moved on, so that the step is, in terms of d = m̂/(√v̂+ε) at t,
///
/// ```text
/// β₁^i·m / (1−β₁^(t+i))                    β₁^i·(1−β₁^t)     √(1−β₂^(t+i))
/// ─────────────────────────  =  r_i·d,  r_i = ───────────── · ─────────────     if ε = 0
///   √(v/(1−β₂^(t+i))) + ε                     1−β₁^(t+i)        √(1−β₂^t)
/// ```
///
/// With ε > 0 the second factor, call it κ ≥ 1, would differ from parameter to parameter: κ·(√v̂+ε)/(√v̂+κε). This rule
/// keeps κ, which makes it linear; it is too large by the factor 1 + (κ−1)·ε/(√v̂+ε), which is 1 wherever √v̂ ≫ ε and
/// never more than κ, itself √((t+i)/t) early on and 1 after some 1/(1−β₂) updates.
///
/// Weight decay is not predicted: see [`AdamW`](super::AdamW). Coupled decay passes through the division by √v̂, so no
/// linear rule can follow it.
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    rho: f64,
}

/// r_i for i = 1 … s, as [`Adam`] defines them, from the scalars of the optimizer after t updates. All 0 before the
/// first update, when there is no moment yet.
pub(super) fn ratios(beta1: f64, beta2: f64, t: u64, horizon: u32) -> impl Iterator<Item = f64> {
    let power = |beta: f64, exponent: f64| beta.powf(exponent);
    let t = t as f64;
    let (first, second) = (1.0 - power(beta1, t), 1.0 - power(beta2, t));
    (1..=horizon).map(f64::from).map(move |i| {
        if t == 0.0 {
            return 0.0;
        }
        power(beta1, i) * first / (1.0 - power(beta1, t + i)) * ((1.0 - power(beta2, t + i)) / second).sqrt()
    })
}

/// β₁, β₂, λ and whether the decay is decoupled; an error that names `predictor` if the optimizer is of another family.
pub(super) fn scalars(predictor: &str, context: &Context<'_>) -> Result<(f64, f64, f64, bool), PredictorError> {
    match context.optimizer {
        OptimizerState::Adam {
            beta1,
            beta2,
            weight_decay,
            decoupled,
            ..
        } => Ok((beta1, beta2, weight_decay, decoupled)),
        OptimizerState::Sgd { .. } => Err(PredictorError::Optimizer {
            predictor: predictor.into(),
            needs: "adam or adamw",
            got: context.optimizer.to_string(),
            instead: "`decayed`, `damped`, `momentum` or `difference`",
        }),
    }
}

impl Predictor for Adam {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DIRECTION
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let (beta1, beta2, ..) = scalars(self.name(), context)?;
        let ratios = ratios(beta1, beta2, context.update, context.horizon());
        let sum: f64 = context
            .learning_rates
            .iter()
            .zip(ratios)
            .map(|(rate, ratio)| rate * ratio)
            .sum();
        Ok(Rule::Linear(Coefficients::along(-sum).scaled(self.rho)))
    }
}

impl Definition for Adam {
    const DESCRIPTION: Description = describe(
        "adam",
        "Adam run ahead with gradient 0: first moment decays, second frozen, no weight decay (FTPipe)",
        "Ŵ = w − Σ η_i·β₁^i·(1−β₁^t)/(1−β₁^(t+i))·√((1−β₂^(t+i))/(1−β₂^t))·d; exact when all coming gradients are 0, the second moment is frozen, ε = 0 and there is no decay",
        &[RHO],
    );

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            rho: options.number("rho"),
        })
    }
}

inventory::submit! { Registration::of::<Adam>() }
