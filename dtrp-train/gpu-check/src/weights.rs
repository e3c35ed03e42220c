//! The weights after some steps on the device against those on the CPU, for every method.

use crate::place::{Place, distance, small};
use crate::{Check, Outcome};
use dtrp_core::schedule::{Method, Order};
use dtrp_core::torch::Dtype;

/// Steps of each run.
const STEPS: u32 = 20;

/// The largest difference of a weight in f64: other summation orders, grown over the steps.
const TOLERANCE_F64: f64 = 1e-9;

/// The same in f32, whose rounding is 2²⁹ times as coarse; after 20 steps at a rate of 0.05 that is still far below what
/// another batch would change.
const TOLERANCE_F32: f64 = 2e-3;

/// f64 for every method and order with one to four workers; f32 with two.
pub(crate) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for method in Method::all() {
        for &order in method.orders {
            let f64s = (1..=4).map(|modules| check(method, order, modules, Dtype::F64, TOLERANCE_F64));
            checks.extend(f64s);
            checks.push(check(method, order, 2, Dtype::F32, TOLERANCE_F32));
        }
    }
    checks
}

/// A check of what is run on both devices.
fn check(method: &'static Method, order: Order, modules: usize, dtype: Dtype, tolerance: f64) -> Check {
    let name = format!("weights {dtype} {} {order} K={modules}", method.name);
    Check::new(name, move |place: &Place| {
        let mut settings = small();
        settings.run.dtype = dtype;
        let section = &mut settings.method;
        method.name.clone_into(&mut section.name);
        (section.modules, section.order) = (modules, Some(order));
        // Where the pipeline runs empty after every batch, one micro-batch would be plain backpropagation.
        section.micro_batches = if method.flushes { 2 } else { 1 };
        let there = place.train(&settings, STEPS)?;
        let here = place.train_on_cpu(&settings, STEPS)?;
        Ok(judge(distance(&there, &here)?, tolerance))
    })
}

/// Whether a difference is small enough.
pub(crate) fn judge(difference: f64, tolerance: f64) -> Outcome {
    let found = format!("largest difference {difference:.1e}, allowed {tolerance:.0e}");
    Outcome::of(difference <= tolerance, found)
}
