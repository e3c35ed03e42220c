//! What a crate that depends on dtrp-core can pin down in its own tests.

use dtrp_core::engine::{self, EngineOptions, Stage};
use dtrp_core::schedule::{Dtrp, Fdg, ScheduleError, Unit};
use std::collections::HashMap;
use std::convert::Infallible;

/// The schedule as a table: what a reviewer reads.
#[test]
fn three_modules_eager() -> Result<(), ScheduleError> {
    insta::assert_snapshot!(Dtrp::new(3).batches(4).eager().table()?);
    Ok(())
}

/// The schedule as text, with every message and weight version: what a reader can parse back.
#[test]
fn gradients_accumulated_over_two_batches() -> Result<(), ScheduleError> {
    insta::assert_snapshot!(Fdg::new(2).batches(4).accumulate(2).program()?);
    Ok(())
}

/// A module of our own: y = w·x, and the last one wants y = 1.
struct Scalar {
    last: bool,
    weight: f64,
    gradient: f64,
    inputs: HashMap<Unit, f64>,
}

impl Scalar {
    fn new(last: bool) -> Self {
        Self {
            last,
            weight: 0.5,
            gradient: 0.0,
            inputs: HashMap::new(),
        }
    }
}

impl Stage for Scalar {
    type Up = f64;
    type Down = f64;
    type Error = Infallible;

    fn input(&mut self, _: Unit) -> Result<f64, Infallible> {
        Ok(1.0)
    }

    fn forward(&mut self, unit: Unit, x: f64, _: Option<u32>) -> Result<f64, Infallible> {
        self.inputs.insert(unit, x);
        Ok(self.weight * x)
    }

    fn forward_graph(&mut self, unit: Unit, x: f64, _: Option<u32>) -> Result<Option<f64>, Infallible> {
        let y = self.forward(unit, x, None)?;
        Ok((!self.last).then_some(y))
    }

    fn recompute(&mut self, _: Unit) -> Result<(), Infallible> {
        Ok(())
    }

    fn backward(&mut self, unit: Unit, delta: Option<f64>) -> Result<Option<f64>, Infallible> {
        let x = self.inputs.remove(&unit).unwrap_or_default();
        let delta = delta.unwrap_or(self.weight * x - 1.0);
        self.gradient += delta * x;
        Ok(Some(delta * self.weight))
    }

    fn update(&mut self, _: u32) -> Result<(), Infallible> {
        self.weight -= 0.1 * std::mem::take(&mut self.gradient);
        Ok(())
    }
}

/// What really ran, on two threads: the same on every machine, because times are not part of it.
#[test]
fn what_our_stage_executes() -> Result<(), Box<dyn std::error::Error>> {
    let program = Dtrp::new(2).batches(3).program()?;
    let mut stages = vec![Scalar::new(false), Scalar::new(true)];
    let outcome = engine::run(&program, &mut stages, &EngineOptions::default())?;
    insta::assert_snapshot!(outcome.trace.to_program(&program));
    Ok(())
}
