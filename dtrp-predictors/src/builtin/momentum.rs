//! `momentum`: the direction stays what it is.

use super::{RHO, describe};
use crate::{
    Coefficients, Context, Definition, Description, Inputs, Options, Predictor, PredictorError, Registration, Rule,
};

/// Ŵ = w − (Σ η_i)·d: the coming gradients keep feeding the direction, so that it stays.
///
/// SpecTrain (Chen, Yang, Cheng 2018, arXiv 1809.02839), LWP with velocity (Kosson et al., MLSys 2021, arXiv
/// 2003.11666) and, with the Adam direction, PipeOptim and XPipe. Exact when momentum is in its steady state,
/// v = g/(1−μ) with g constant, with Nesterov or without: then the step is η·v either way.
#[derive(Debug, Clone, Copy)]
pub struct Momentum {
    rho: f64,
}

impl Predictor for Momentum {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DIRECTION
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let rule = Coefficients::along(-context.rate_sum());
        Ok(Rule::Linear(rule.scaled(self.rho)))
    }
}

impl Definition for Momentum {
    const DESCRIPTION: Description = describe(
        "momentum",
        "the optimizer keeps its direction (SpecTrain; LWP with velocity; PipeOptim under Adam)",
        "Ŵ = w − (Σ η_i)·d; exact when momentum is in its steady state",
        &[RHO],
    );

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            rho: options.number("rho"),
        })
    }
}

inventory::submit! { Registration::of::<Momentum>() }
