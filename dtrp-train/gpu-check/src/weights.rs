//! The weights after some steps on the device against those on the CPU, for every method.

use super::place::{Place, distance};
use super::{Check, Outcome};
use crate::error::Error;
use dtrp_core::schedule::Method;

/// Steps of each run.
const STEPS: u32 = 20;

/// The largest difference of a weight in f64: other summation orders, grown over the steps.
const TOLERANCE_F64: f64 = 1e-9;

/// The same in f32, whose rounding is 2²⁹ times as coarse; after 20 steps at a rate of 0.05 that is still far below what
/// another batch would change.
const TOLERANCE_F32: f64 = 2e-3;

/// f64 for every method and order with one to four workers; f32 with two.
pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for method in Method::all() {
        for order in method.orders {
            for modules in 1..=4 {
                let run = Run {
                    method: method.name,
                    order: order.name(),
                    modules,
                };
                checks.push(run.check("f64", TOLERANCE_F64));
            }
            let run = Run {
                method: method.name,
                order: order.name(),
                modules: 2,
            };
            checks.push(run.check("f32", TOLERANCE_F32));
        }
    }
    checks
}

/// What is run on both devices.
struct Run {
    method: &'static str,
    order: &'static str,
    modules: usize,
}

impl Run {
    fn check(self, dtype: &'static str, tolerance: f64) -> Check {
        let Self { method, order, modules } = self;
        let name = format!("weights {dtype} {method} {order} K={modules}");
        Check::new(name, move |place: &Place| {
            let mut sets = vec![
                format!("method.name={method}"),
                format!("method.order={order}"),
                format!("method.modules={modules}"),
                format!("run.dtype={dtype}"),
            ];
            if ["gpipe", "1f1b"].contains(&method) {
                sets.push("method.micro_batches=2".to_owned());
            }
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            let there = place.train(&sets, STEPS)?;
            let here = place.train_on_cpu(&sets, STEPS)?;
            judge(distance(&there, &here)?, tolerance)
        })
    }
}

/// Whether a difference is small enough.
pub(super) fn judge(difference: f64, tolerance: f64) -> Result<Outcome, Error> {
    let told = format!("largest difference {difference:.1e}, allowed {tolerance:.0e}");
    Ok(match difference <= tolerance {
        true => Outcome::Ok(told),
        false => Outcome::Failed(told),
    })
}
