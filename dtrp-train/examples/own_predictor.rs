//! A weight predictor of one's own, registered and used by its name.

use dtrp_train::predictors::{
    Coefficients, Context, Definition, Description, Inputs, Kind, OptionSpec, Options, Predictor, PredictorError,
    Registration, Rule, inventory,
};
use dtrp_train::schedule::Dtrp;
use dtrp_train::{Data, Result, Sgd, Training, models};

/// Ŵ = w − share·(Σ η_i)·d: only so much of the way that the optimizer has been going.
struct Cautious(f64);

impl Predictor for Cautious {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs::DIRECTION
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Linear(Coefficients::along(-self.0 * context.rate_sum())))
    }
}

impl Definition for Cautious {
    const DESCRIPTION: Description = Description {
        name: "org.example.cautious",
        version: "1.0.0",
        summary: "a share of the way that the optimizer has been going",
        formula: "Ŵ = w − share·(Σ η_i)·d; with share 1 it is `momentum`",
        licence: "MIT OR Apache-2.0",
        kind: Kind::Linear,
        options: &[OptionSpec::number("share", 0.5, 0.0..=1.0, "of the whole way")],
    };

    fn build(options: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self(options.number("share")))
    }
}

inventory::submit! { Registration::of::<Cautious>() }

fn main() -> Result<()> {
    let data = Data::open("digits")?.augment("crop:1");
    let network = models::build("tiny", &models::option_values([("width", 16.into())]), &data.input())?;
    let mut trainer = Training::new(network, data)
        .method(Dtrp::new(2))
        .predictor("org.example.cautious")
        .optimizer(Sgd::new(0.1).momentum(0.9))
        .epochs(15)
        .build()?;
    let result = trainer.fit()?;
    println!("{:.1} %", 100.0 * result.test_accuracy);
    assert!(result.test_accuracy > 0.8);
    Ok(())
}
