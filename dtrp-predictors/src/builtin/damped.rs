//! `damped`: momentum runs out.

use super::{RHO, describe};
use crate::{
    Coefficients, Context, Definition, Description, Inputs, OptimizerState, Options, Predictor, PredictorError,
    Registration, Rule,
};

/// Ŵ = w − (Σ_i η_i μ^i)·d: no gradient comes any more, and the momentum that is there runs out.
///
/// FTPipe's "msnag" (Eliad et al., ATC 2021). Exact when all coming gradients are 0 and there is no weight decay. With
/// Nesterov a step without gradient moves by η·μ·v, so that the sum is Σ η_i μ^{i+1}.
#[derive(Debug, Clone, Copy)]
pub struct Damped {
    rho: f64,
}

impl Predictor for Damped {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DIRECTION
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let OptimizerState::Sgd { momentum, nesterov, .. } = context.optimizer else {
            return Err(PredictorError::Optimizer {
                predictor: self.name().into(),
                needs: "sgd",
                got: context.optimizer.to_string(),
                instead: "`adam`, `adamw`, `momentum` or `difference`",
            });
        };
        let mut power = if nesterov { momentum } else { 1.0 };
        let mut sum = 0.0;
        for rate in context.learning_rates {
            power *= momentum;
            sum += rate * power;
        }
        Ok(Rule::Linear(Coefficients::along(-sum).scaled(self.rho)))
    }
}

impl Definition for Damped {
    const DESCRIPTION: Description = describe(
        "damped",
        "momentum runs out: no coming gradients (FTPipe msnag); SGD only",
        "Ŵ = w − (Σ η_i μ^i)·d, with Nesterov μ^(i+1); exact when all coming gradients are 0, without weight decay",
        &[RHO],
    );

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            rho: options.number("rho"),
        })
    }
}

inventory::submit! { Registration::of::<Damped>() }
