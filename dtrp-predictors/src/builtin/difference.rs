//! `difference`: the last step, again and again.

use super::{RHO, describe};
use crate::{
    Coefficients, Context, Definition, Description, Inputs, Options, Predictor, PredictorError, Registration, Rule,
};

/// Ŵ = w + s·Δ: every coming update moves the weights as the last one did.
///
/// LWP with weight difference (Kosson et al., MLSys 2021, arXiv 2003.11666). Exact when the displacement is constant;
/// works with any optimizer, at the cost of one more copy of the weights. Learning rates do not enter, so a milestone
/// inside the horizon is not seen.
#[derive(Debug, Clone, Copy)]
pub struct Difference {
    rho: f64,
}

impl Predictor for Difference {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DISPLACEMENT
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let displacement = f64::from(context.horizon());
        Ok(Rule::Linear(
            Coefficients {
                displacement,
                ..Coefficients::IDENTITY
            }
            .scaled(self.rho),
        ))
    }
}

impl Definition for Difference {
    const DESCRIPTION: Description = describe(
        "difference",
        "every coming update moves as the last one did (LWP with weight difference)",
        "Ŵ = w + s·Δ; exact when the displacement is constant",
        &[RHO],
    );

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            rho: options.number("rho"),
        })
    }
}

inventory::submit! { Registration::of::<Difference>() }
