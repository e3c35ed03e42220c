//! `adamw`: as `adam`, with decoupled weight decay.

use super::{
    RHO,
    adam::{ratios, scalars},
    describe,
};
use crate::{
    Coefficients, Context, Definition, Description, Inputs, Options, Predictor, PredictorError, Registration, Rule,
};

/// As [`Adam`](super::Adam), with w ← (1 − η_i λ)·w before each step:
/// Ŵ = Π(1−η_iλ)·w − Σ_i η_i r_i Π_{j>i}(1−η_jλ)·d. FTPipe's AdamW predictor (Eliad et al., ATC 2021).
///
/// Under Adam with coupled weight decay it refuses, since that decay is another one; without any decay it equals `adam`.
#[derive(Debug, Clone, Copy)]
pub struct AdamW {
    rho: f64,
}

impl Predictor for AdamW {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DIRECTION
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let (beta1, beta2, weight_decay, decoupled) = scalars(self.name(), context)?;
        if !decoupled && weight_decay != 0.0 {
            return Err(PredictorError::Optimizer {
                predictor: self.name().into(),
                needs: "decoupled weight decay",
                got: "adam with coupled weight decay".into(),
                instead: "`adam`, or the optimizer adamw",
            });
        }
        let mut rule = Coefficients::IDENTITY;
        for (rate, ratio) in context
            .learning_rates
            .iter()
            .zip(ratios(beta1, beta2, context.update, context.horizon()))
        {
            let keep = 1.0 - rate * weight_decay;
            rule.weights *= keep;
            rule.direction = keep * rule.direction - rate * ratio;
        }
        Ok(Rule::Linear(rule.scaled(self.rho)))
    }
}

impl Definition for AdamW {
    const DESCRIPTION: Description = describe(
        "adamw",
        "AdamW run ahead with gradient 0: as adam, with decoupled weight decay (FTPipe)",
        "as adam, with w ← (1 − η_i λ)·w before each step",
        &[RHO],
    );

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            rho: options.number("rho"),
        })
    }
}

inventory::submit! { Registration::of::<AdamW>() }
