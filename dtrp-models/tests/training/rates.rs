//! A stage tells its predictor the rates that the coming updates will really use, also where a milestone lies among them.

use crate::run::Run;
use dtrp_core::schedule::Order;
use dtrp_predictors::{
    Arrays, Coefficients, Context, Definition, Description, Inputs, Kind, Options, Predictor, PredictorError,
    Registration, Rule,
};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What a stage told its predictor.
#[derive(Default)]
struct Told {
    /// Module, updates made, rates of the coming updates.
    forecasts: Vec<(usize, u64, Vec<f64>)>,
    /// By module and number of the update, from 1: the rate that it used.
    used: HashMap<(usize, u64), f64>,
}

static TOLD: Mutex<Option<Told>> = Mutex::new(None);

/// Predicts as `momentum` does, and notes what it is told.
struct Notes;

impl Notes {
    fn note(what: impl FnOnce(&mut Told)) {
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        what(told.get_or_insert_default());
    }
}

impl Predictor for Notes {
    fn name(&self) -> &str {
        Self::DESCRIPTION.name
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            direction: true,
            displacement: true,
            ..Inputs::default()
        }
    }

    fn rule(&mut self, context: &Context<'_>) -> Result<Rule, PredictorError> {
        let rates = context.learning_rates.to_vec();
        Self::note(|told| told.forecasts.push((context.module, context.update, rates)));
        Ok(Rule::Linear(Coefficients {
            direction: -context.rate_sum(),
            ..Coefficients::IDENTITY
        }))
    }

    fn wants_observe(&self) -> bool {
        true
    }

    /// The rate that moved the weights: Δ = −η·d.
    fn observe(&mut self, context: &Context<'_>, arrays: Arrays<'_>) -> Result<(), PredictorError> {
        let Arrays::F64(views) = arrays else {
            return Err(arrays.unsupported(self.name()));
        };
        let (d, moved) = (views.direction.unwrap(), views.displacement.unwrap());
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let rate = -dot(moved, d) / dot(d, d);
        Self::note(|told| {
            told.used.insert((context.module, context.update), rate);
        });
        Ok(())
    }
}

impl Definition for Notes {
    const DESCRIPTION: Description = Description {
        name: "notes",
        version: "0",
        summary: "notes what it is told",
        formula: "as momentum",
        licence: "MIT",
        kind: Kind::Linear,
        options: &[],
    };

    fn build(_: &Options<'_>) -> Result<Self, PredictorError> {
        Ok(Self)
    }
}

dtrp_predictors::inventory::submit! { Registration::of::<Notes>() }

#[test]
fn a_milestone_inside_the_horizon_is_seen_coming() {
    const MILESTONE: u64 = 6;
    for (order, horizon) in [(Order::Lockstep, 3), (Order::Eager, 2)] {
        let run = Run {
            predictor: "notes",
            order: Some(order),
            batches: 12,
            milestone: Some(MILESTONE),
            kind: tch::Kind::Double,
            ..Run::new("dtrp", 3)
        };
        run.weights();
        let told = TOLD.lock().unwrap().take().unwrap();
        let mut across = 0;
        for (module, update, rates) in &told.forecasts {
            for (coming, rate) in (update + 1..).zip(rates) {
                // A rate that moved the weights is known as exactly as a small difference of theirs.
                let used = told.used[&(*module, coming)];
                assert!(
                    (rate - used).abs() < 1e-9 * used,
                    "{order}: module {module}, update {coming} of {update}+: {rate} {used}"
                );
                let expected = if coming <= MILESTONE { 0.05 } else { 0.005 };
                assert!((rate - expected).abs() < 1e-15, "{order}: {rate}");
            }
            across += usize::from(rates.first() > rates.last());
        }
        // Module 1 forecasts across the milestone from every update that lies less than a horizon before it.
        let longest = told.forecasts.iter().map(|(.., rates)| rates.len()).max();
        assert_eq!(longest, Some(horizon), "{order}");
        assert!(across >= horizon - 1, "{order}: {across}");
    }
}
