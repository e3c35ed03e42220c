//! A linear rule: momentum that fades by a factor of one's own, Ŵ = w − (Σ_i η_i·fade^i)·d.
//!
//! `fade: 1` gives the bits of the built-in `momentum`, `fade: μ` those of `damped` (without Nesterov).

use dtrp_predictors::{
    Coefficients, Context, Definition, Description, Inputs, Kind, OptionSpec, Options, Predictor, PredictorError, Rule,
    export_predictor,
};

struct Fading {
    fade: f64,
}

impl Predictor for Fading {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DIRECTION
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let (mut power, mut sum) = (1.0, 0.0);
        for rate in context.learning_rates {
            power *= self.fade;
            sum += rate * power;
        }
        Ok(Rule::Linear(Coefficients::along(-sum)))
    }
}

impl Definition for Fading {
    const DESCRIPTION: Description = Description {
        name: "org.example.fading",
        version: env!("CARGO_PKG_VERSION"),
        summary: "momentum that fades by a factor of one's own",
        formula: "Ŵ = w − (Σ η_i·fade^i)·d",
        licence: env!("CARGO_PKG_LICENSE"),
        kind: Kind::Linear,
        options: &[OptionSpec::number(
            "fade",
            0.9,
            0.0..=1.0,
            "what is left of the direction after each update",
        )],
    };

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self {
            fade: options.number("fade"),
        })
    }
}

export_predictor!(Fading);

#[cfg(test)]
mod tests {
    use super::*;
    use dtrp_predictors::{OptimizerState, conformance};

    #[test]
    fn conforms() {
        let report = conformance::check_entry(&dtrp_predictor_entry);
        assert!(report.passed(), "{report}");
    }

    #[test]
    fn fades() {
        let optimizer = OptimizerState::Sgd {
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
        };
        let context = Context {
            module: 1,
            modules: 2,
            update: 7,
            learning_rates: &[0.1, 0.01],
            optimizer,
        };
        let rule = Fading { fade: 0.5 }.rule(&context).expect("a rule");
        let expected = Coefficients::along(-(0.1 * 0.5 + 0.01 * 0.25));
        assert_eq!(rule, Rule::Linear(expected));
    }
}
