//! A custom predictor in host memory, with copies to and fro, against the same rule in device memory.

use crate::place::{distance, small};
use crate::weights::judge;
use crate::{Check, Outcome};
use dtrp_core::torch::Dtype;
use dtrp_train::settings::PredictorSpec;
use dtrp_train::{BoxError, Settings};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Steps of each run.
const STEPS: u32 = 20;

/// The same formula, but a device may contract products and sums into one rounding.
const TOLERANCE: f64 = 1e-9;

/// Both against the built-in rule that they equal.
pub(crate) fn checks(host: Option<PathBuf>, device: Option<PathBuf>) -> Vec<Check> {
    let against_built_in = |name: &str, plugin: Option<PathBuf>, missing: &'static str| {
        Check::new(format!("predictor {name}"), move |place| {
            let Some(plugin) = &plugin else {
                return Ok(Outcome::Skipped(missing.to_owned()));
            };
            // So far that it is never reached: without it the rule is momentum's.
            let options = json!({ "limit": 1e9 });
            let plugin = with_predictor(json!({ "plugin": plugin, "options": options }))?;
            let plugin = place.train(&plugin, STEPS)?;
            let built_in = place.train(&with_predictor(json!("momentum"))?, STEPS)?;
            Ok(judge(distance(&plugin, &built_in)?, TOLERANCE))
        })
    };
    vec![
        against_built_in("staged through host memory", host, "no --host-plugin"),
        against_built_in(
            "in device memory",
            device,
            "no --device-plugin, which takes nvcc to build",
        ),
    ]
}

fn with_predictor(predictor: Value) -> Result<Settings, BoxError> {
    let mut settings = small();
    settings.run.dtype = Dtype::F64;
    settings.method.modules = 3;
    settings.method.predictor = PredictorSpec::try_from(predictor)?;
    Ok(settings)
}
