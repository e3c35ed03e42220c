//! Panics where it should predict. The macro catches it, and the host reports it.

use dtrp_predictors::{
    Arrays, Context, Definition, Description, Inputs, Kind, OptionSpec, Options, Output, Predictor, PredictorError,
    Rule, export_predictor,
};

struct Panics {
    drop: bool,
}

impl Predictor for Panics {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::default()
    }

    fn rule(&mut self, _: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Custom)
    }

    fn predict(&mut self, _: &Context<'_>, arrays: Arrays<'_>, _: Output<'_>) -> Result<(), PredictorError> {
        panic!("{} weights are too many for me", arrays.len());
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        assert!(!self.drop, "not even this works");
    }
}

impl Definition for Panics {
    const DESCRIPTION: Description = Description {
        name: "org.example.broken.panics",
        version: "1.0.0",
        summary: "panics in predict",
        formula: "none",
        licence: "MIT OR Apache-2.0",
        kind: Kind::Custom,
        options: &[OptionSpec::flag(
            "drop",
            true,
            "panic when the instance is destroyed, too",
        )],
    };

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            drop: options.flag("drop"),
        })
    }
}

export_predictor!(Panics);
