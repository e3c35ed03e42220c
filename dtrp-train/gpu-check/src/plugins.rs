//! A custom predictor in host memory, with copies to and fro, against the same rule in device memory.

use super::place::distance;
use super::weights::judge;
use super::{Check, Outcome};
use std::path::PathBuf;

/// Steps of each run.
const STEPS: u32 = 20;

/// The same formula, but a device may contract products and sums into one rounding.
const TOLERANCE: f64 = 1e-9;

/// Both against the built-in rule that they equal, and against each other.
pub(super) fn checks(host: Option<PathBuf>, device: Option<PathBuf>) -> Vec<Check> {
    let against_built_in = |name: &str, plugin: Option<PathBuf>, missing: &'static str| {
        Check::new(format!("predictor {name}"), move |place| {
            let Some(plugin) = &plugin else {
                return Ok(Outcome::Skipped(missing.to_owned()));
            };
            // So far that it is never reached: without it the rule is momentum's.
            let options = serde_json::json!({ "limit": 1e9 });
            let plugin = serde_json::json!({ "plugin": plugin, "options": options });
            let plugin = with_predictor(&plugin.to_string());
            let plugin = place.train(&strs(&plugin), STEPS)?;
            let built_in = place.train(&strs(&with_predictor("momentum")), STEPS)?;
            judge(distance(&plugin, &built_in)?, TOLERANCE)
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

fn with_predictor(predictor: &str) -> [String; 3] {
    [
        "run.dtype=f64".to_owned(),
        "method.modules=3".to_owned(),
        format!("method.predictor={predictor}"),
    ]
}

fn strs(sets: &[String; 3]) -> [&str; 3] {
    [&sets[0], &sets[1], &sets[2]]
}
