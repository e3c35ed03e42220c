//! What is there, and what is said about what is not.

use dtrp_predictors::{
    Coefficients, Context, Definition, Description, Inputs, Kind, OptimizerState, Options, Predictor, PredictorError,
    Registration, Rule, Spec, Views, create, describe, list,
};
use serde_json::json;

/// A predictor of someone else, linked into the program.
struct Linked;

impl Predictor for Linked {
    fn name(&self) -> &str {
        "test.linked"
    }
    fn inputs(&self) -> Inputs {
        Inputs::default()
    }
    fn rule(&mut self, _: &Context<'_>) -> Result<Rule, PredictorError> {
        Ok(Rule::Linear(Coefficients {
            weights: 2.0,
            ..Coefficients::IDENTITY
        }))
    }
}

impl Definition for Linked {
    const DESCRIPTION: Description = Description {
        name: "test.linked",
        version: "1.0.0",
        summary: "doubles",
        formula: "2w",
        licence: "MIT",
        kind: Kind::Linear,
        options: &[],
    };
    fn build(_: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self)
    }
}

dtrp_predictors::inventory::submit! { Registration::of::<Linked>() }

#[test]
fn all_are_listed_and_made_by_name() {
    let names: Vec<_> = list().iter().map(|description| description.name).collect();
    assert_eq!(
        names,
        [
            "adam",
            "adamw",
            "adaptive",
            "damped",
            "decayed",
            "difference",
            "momentum",
            "none",
            "test.linked"
        ]
    );
    for name in names {
        let description = describe(name).expect("listed");
        assert_eq!(create(&Spec::named(name)).expect("listed").name(), name);
        assert!(
            !description.summary.is_empty() && !description.formula.is_empty(),
            "{name}"
        );
    }
}

#[test]
fn horizon_0_is_the_identity_even_for_rules_that_are_not() {
    let optimizer = OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let mut linked = create(&Spec::named("test.linked")).expect("registered");
    for (rates, expected) in [(&[][..], 0.3f32), (&[0.1], 0.6)] {
        let context = Context {
            module: 1,
            modules: 1,
            update: 0,
            learning_rates: rates,
            optimizer,
        };
        let mut out = [f32::NAN];
        linked
            .forecast(&context, Views::of(&[0.3f32]), &mut out)
            .expect("a prediction");
        assert_eq!(out, [expected]);
    }
}

#[test]
fn errors_say_what_would_be_valid() {
    let rule = |name: &str, optimizer| {
        let context = Context {
            module: 1,
            modules: 1,
            update: 1,
            learning_rates: &[0.1],
            optimizer,
        };
        create(&Spec::named(name)).and_then(|mut predictor| predictor.rule(&context).map(drop))
    };
    let sgd = OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let adam = OptimizerState::Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.1,
        decoupled: false,
    };
    let option = |name: &str, options| create(&Spec::named(name).with(options)).map(drop);
    for (result, says) in [
        (
            option("momentun", json!(null)),
            "unknown predictor `momentun` (did you mean `momentum`?); the predictors are adam, adamw, adaptive, damped, decayed, difference, momentum, none, test.linked",
        ),
        (
            option("zzzzzzzz", json!(null)),
            "unknown predictor `zzzzzzzz`; the predictors are adam,",
        ),
        (
            option("decayed", json!({ "last_gradiant": true })),
            "predictor `decayed` has no option `last_gradiant` (did you mean `last_gradient`?); its options are rho, last_gradient",
        ),
        (
            option("none", json!({ "rho": 1 })),
            "predictor `none` has no option `rho`; it has none at all: remove it",
        ),
        (
            option("damped", json!({ "rho": 1.5 })),
            "predictor `damped`: option `rho` is 1.5, but must be a number from 0 to 1",
        ),
        (
            option("damped", json!({ "rho": "1" })),
            "is \"1\", but must be a number from 0 to 1",
        ),
        (
            option("decayed", json!({ "last_gradient": 1 })),
            "is 1, but must be true or false",
        ),
        (
            option("damped", json!([1])),
            "predictor `damped`: option `options` is [1], but must be an object",
        ),
        (
            rule("adam", sgd),
            "predictor `adam` needs adam or adamw, but the optimizer is sgd; use `decayed`",
        ),
        (
            rule("decayed", adam),
            "predictor `decayed` needs sgd, but the optimizer is adam; use `adam`",
        ),
        (
            rule("damped", adam),
            "predictor `damped` needs sgd, but the optimizer is adam; use `adam`",
        ),
        (
            rule("adamw", adam),
            "needs decoupled weight decay, but the optimizer is adam with coupled weight decay; use `adam`",
        ),
    ] {
        let error = result.expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn lengths_are_checked() {
    let optimizer = OptimizerState::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let context = Context {
        module: 1,
        modules: 1,
        update: 0,
        learning_rates: &[0.1],
        optimizer,
    };
    let mut predictor = create(&Spec::named("momentum")).expect("a built-in");
    let views = Views {
        direction: Some(&[1.0f64][..]),
        ..Views::of(&[1.0, 2.0])
    };
    let error = predictor
        .forecast(&context, views, &mut [0.0; 2])
        .expect_err("lengths differ");
    assert_eq!(
        error.to_string(),
        "predictor `momentum` was given direction of length 1 for 2 parameters"
    );
}
