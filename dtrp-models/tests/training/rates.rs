//! A stage tells its predictor the rates that the coming updates will really use, also where a milestone or the end of the
//! warm-up lies among them.

use crate::run::Run;
use dtrp_core::schedule::Order;
use dtrp_core::torch::Warmup;
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

/// Held by the test that reads what is told.
static READING: Mutex<()> = Mutex::new(());

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

/// Trains, and checks that every rate that was foretold is the one of `schedule` (a function of the update, from 0) and the
/// one that was used. Returns what was foretold.
fn foretold(run: &Run, schedule: impl Fn(u64) -> f64) -> Vec<(usize, u64, Vec<f64>)> {
    run.weights();
    let told = TOLD.lock().unwrap().take().unwrap();
    let order = run.order.unwrap();
    for (module, update, rates) in &told.forecasts {
        for (coming, rate) in (*update..).zip(rates) {
            // A rate that moved the weights is known as exactly as a small difference of theirs.
            let used = told.used[&(*module, coming + 1)];
            assert!(
                (rate - used).abs() < 1e-9 * used,
                "{order}: module {module}, update {coming} from {update}: {rate} {used}"
            );
            let expected = schedule(coming);
            assert!((rate - expected).abs() < 1e-15, "{order}: {rate} {expected}");
        }
    }
    told.forecasts
}

#[test]
fn the_end_of_a_warm_up_inside_the_horizon_is_seen_coming() {
    const WARMING: u64 = 5;
    let _reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
    for (order, horizon) in [(Order::Lockstep, 3), (Order::Eager, 2)] {
        let run = Run {
            predictor: "notes",
            order: Some(order),
            batches: 12,
            warmup: Some(Warmup {
                updates: WARMING,
                from: 0.1,
            }),
            kind: tch::Kind::Double,
            ..Run::new("dtrp", 3)
        };
        let rising = |u: u64| 0.05 * (0.1 + 0.9 * (u + 1) as f64 / WARMING as f64);
        let forecasts = foretold(&run, |u| if u < WARMING { rising(u) } else { 0.05 });
        let across = forecasts.iter().filter(|(_, update, rates)| {
            let end = update + rates.len() as u64;
            *update < WARMING - 1 && end > WARMING
        });
        assert!(across.count() >= horizon - 2, "{order}");
    }
}

#[test]
fn a_milestone_inside_the_horizon_is_seen_coming() {
    const MILESTONE: u64 = 6;
    let _reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
    for (order, horizon) in [(Order::Lockstep, 3), (Order::Eager, 2)] {
        let run = Run {
            predictor: "notes",
            order: Some(order),
            batches: 12,
            milestone: Some(MILESTONE),
            kind: tch::Kind::Double,
            ..Run::new("dtrp", 3)
        };
        let forecasts = foretold(&run, |u| if u < MILESTONE { 0.05 } else { 0.005 });
        let across = forecasts
            .iter()
            .filter(|(.., rates)| rates.first() > rates.last())
            .count();
        // Module 1 forecasts across the milestone from every update that lies less than a horizon before it.
        let longest = forecasts.iter().map(|(.., rates)| rates.len()).max();
        assert_eq!(longest, Some(horizon), "{order}");
        assert!(across >= horizon - 1, "{order}: {across}");
    }
}
