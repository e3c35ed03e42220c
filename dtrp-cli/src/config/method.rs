//! Values of the section `method` that have more than one form.

use dtrp_models::Cuts;
use dtrp_predictors::{PredictorError, Spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `even`, or a list with the number of blocks below each cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub(crate) struct CutsAt(pub(crate) Cuts);

impl TryFrom<Value> for CutsAt {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let wrong =
            "expected `even`, or a list with the number of blocks below each cut, such as [3, 7]";
        match value {
            Value::String(word) if word == "even" => Ok(Self(Cuts::Even)),
            Value::Array(numbers) => {
                let blocks = numbers.iter().map(|n| n.as_u64().map(|n| n as usize));
                Ok(Self(Cuts::At(blocks.collect::<Option<_>>().ok_or(wrong)?)))
            }
            _ => Err(wrong),
        }
    }
}

impl From<CutsAt> for Value {
    fn from(cuts: CutsAt) -> Self {
        match cuts.0 {
            Cuts::At(blocks) => blocks.into(),
            _ => "even".into(),
        }
    }
}

/// A predictor: its name, or a map as [`Spec::from_value`] reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub(crate) struct Predictor(pub(crate) Spec);

impl TryFrom<Value> for Predictor {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        Spec::from_value(&value).map(Self).map_err(|error| {
            let reason = match error {
                PredictorError::Spec { reason } => reason,
                other => other.to_string(),
            };
            format!(
                "expected a name, {{name: …, options: {{…}}}} or {{plugin: FILE, id: …, options: {{…}}}} ({reason})"
            )
        })
    }
}

impl From<Predictor> for Value {
    fn from(predictor: Predictor) -> Self {
        predictor.0.to_value()
    }
}
