//! A predictor of one's own.

use dtrp_train::predictors::{
    Coefficients, Context, Definition, Description, Inputs, Kind, OptionSpec, Options, Predictor, PredictorError,
    Registration, Rule, inventory,
};

/// What the predictor is called.
pub const LOOKAHEAD: &str = "org.example.lookahead";

/// Ŵ = w + share·s·Δ: the module goes on as it went last time, a share of the way for each of the s updates.
struct Lookahead(f64);

impl Predictor for Lookahead {
    fn name(&self) -> &str {
        LOOKAHEAD
    }

    fn inputs(&self) -> Inputs {
        Inputs::DISPLACEMENT
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Linear(Coefficients {
            displacement: self.0 * f64::from(context.horizon()),
            ..Coefficients::IDENTITY
        }))
    }
}

impl Definition for Lookahead {
    const DESCRIPTION: Description = Description {
        name: LOOKAHEAD,
        version: "1.0.0",
        summary: "goes on as it went last time",
        formula: "Ŵ = w + share·s·Δ",
        licence: "MIT OR Apache-2.0",
        kind: Kind::Linear,
        options: &[OptionSpec::number("share", 1.0, 0.0..=2.0, "of the way")],
    };

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self(options.number("share")))
    }
}

inventory::submit! { Registration::of::<Lookahead>() }
