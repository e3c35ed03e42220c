//! Values of the section `method` that have more than one form.

use dtrp_predictors::{PredictorError, Spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::str::FromStr;

/// Where the network is cut into modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub(crate) enum CutsAt {
    /// As many blocks in each module as in every other.
    Even,
    /// Where the slowest worker is as fast as it can be, over costs that are measured or given.
    Auto,
    /// For each cut the number of blocks below it.
    At(Vec<usize>),
}

impl TryFrom<Value> for CutsAt {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let wrong = "expected `even`, `auto`, or a list with the number of blocks below each cut, such as [3, 7]";
        match value {
            Value::String(word) if word == "even" => Ok(Self::Even),
            Value::String(word) if word == "auto" => Ok(Self::Auto),
            Value::Array(numbers) => {
                let blocks = numbers.iter().map(|n| n.as_u64().map(|n| n as usize));
                Ok(Self::At(blocks.collect::<Option<_>>().ok_or(wrong)?))
            }
            _ => Err(wrong),
        }
    }
}

impl FromStr for CutsAt {
    type Err = String;

    /// As on a command line, where a list is numbers with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = || text.split(',').map(|number| number.trim().parse().ok());
        match text {
            "even" => Ok(Self::Even),
            "auto" => Ok(Self::Auto),
            _ => numbers().collect::<Option<_>>().map(Self::At).ok_or_else(|| {
                "expected `even`, `auto`, or the numbers of blocks below the cuts, such as 3,7".to_owned()
            }),
        }
    }
}

impl From<CutsAt> for Value {
    fn from(cuts: CutsAt) -> Self {
        match cuts {
            CutsAt::Even => "even".into(),
            CutsAt::Auto => "auto".into(),
            CutsAt::At(blocks) => blocks.into(),
        }
    }
}

/// A number of bytes: `1500000000`, or `1.5 GB`, or `1.5 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "u64")]
pub(crate) struct Bytes(pub(crate) u64);

impl TryFrom<Value> for Bytes {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        const UNITS: [(&str, f64); 9] = [
            ("KiB", 1024.0),
            ("MiB", 1048576.0),
            ("GiB", 1073741824.0),
            ("TiB", 1099511627776.0),
            ("kB", 1e3),
            ("MB", 1e6),
            ("GB", 1e9),
            ("TB", 1e12),
            ("B", 1.0),
        ];
        let wrong = "expected a number of bytes above 0, such as 1500000000, `1.5 GB` or `1.5 GiB`";
        let bytes = match &value {
            Value::Number(number) => number.as_u64().ok_or(wrong)?,
            Value::String(text) => {
                let unit = UNITS
                    .iter()
                    .find_map(|(unit, size)| Some((text.trim().strip_suffix(unit)?.trim_end(), size)));
                let (number, size) = unit.ok_or(wrong)?;
                let number: f64 = number.parse().map_err(|_| wrong)?;
                // Saturates at both ends, and NaN is 0.
                (number * size).round() as u64
            }
            _ => return Err(wrong),
        };
        match bytes {
            0 => Err(wrong),
            bytes => Ok(Self(bytes)),
        }
    }
}

impl From<Bytes> for u64 {
    fn from(bytes: Bytes) -> Self {
        bytes.0
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
