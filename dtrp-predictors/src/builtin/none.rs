//! `none`: no prediction.

use super::describe;
use crate::{
    Coefficients, Context, Definition, Description, Inputs, Options, Predictor, PredictorError, Registration, Rule,
};

/// Ŵ = w. Decoupled training with re-computation alone (DTR, which is DSP).
#[derive(Debug, Clone, Copy, Default)]
pub struct None;

impl Predictor for None {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::NONE
    }

    fn rule(&mut self, _: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Linear(Coefficients::IDENTITY))
    }
}

impl Definition for None {
    const DESCRIPTION: Description = describe(
        "none",
        "no prediction: the forward pass uses the current weights (DTR, DSP)",
        "Ŵ = w",
        &[],
    );

    fn build(_: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self)
    }
}

inventory::submit! { Registration::of::<None>() }
