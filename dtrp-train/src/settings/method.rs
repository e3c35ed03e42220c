//! The training method, and the values of its section that have more than one form.

use super::cuts::Cuts;
use super::recompute::Recomputing;
use dtrp_core::schedule::Order;
use dtrp_predictors::{PredictorError, Spec};
use dtrp_text::words;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The training method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct MethodSettings {
    /// The method; with a [`program`](Self::program), that of the program.
    pub name: String,
    /// K: into how many modules the network is cut, with a worker for each.
    pub modules: usize,
    /// The order; `None` takes the usual one, which is eager for more than two modules where the method has it.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<String>", extend("enum" = super::schema::orders())))]
    pub order: Option<Order>,
    /// The weight predictor.
    pub predictor: PredictorSpec,
    /// Where the network is cut.
    pub cuts: Cuts,
    /// What modules recompute.
    pub recompute: Recomputing,
    /// With [`Cuts::Auto`] or [`Recomputing::Auto`]: a file of measured costs, instead of measuring.
    #[serde(serialize_with = "lossy")]
    pub costs: Option<PathBuf>,
    /// With [`Cuts::Auto`], [`Recomputing::Auto`] or [`BatchCompensation::fill`]: the most bytes that a worker may hold. With
    /// [`Recomputing::Auto`] and no budget it is what plain backpropagation would hold on one worker.
    pub memory_budget: Option<Bytes>,
    /// What makes up for workers that wait.
    pub batch_compensation: BatchCompensation,
    /// m: every batch is split into so many.
    pub micro_batches: u16,
    /// M: one update for so many batches.
    pub accumulate: u32,
    /// A file with a program to run instead of the method's own.
    #[serde(serialize_with = "lossy")]
    pub program: Option<PathBuf>,
    /// Measure every so manieth prediction; 0: none.
    pub probe_every: u32,
    /// β of FDG: multiplies the gradient that arrives at every module but the last.
    pub gradient_shrink: f64,
    /// γ of DTRP: module k learns at lr·γ^(K−k).
    pub lr_shrink: f64,
    /// Spike compensation (Kosson et al., 2021): a late gradient is applied at once with all its momentum.
    pub spike: bool,
    /// Over so many epochs stale modules go from lr/staleness to lr (PipeMare, Yang et al., 2021, T1).
    pub rescale_epochs: f64,
    /// For a method with local losses: the head of every module but the last.
    pub auxiliary: String,
}

/// A path that is not UTF-8 has no exact form in a configuration: it is written with replacement characters.
fn lossy<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(Path::to_string_lossy).serialize(serializer)
}

impl Default for MethodSettings {
    fn default() -> Self {
        Self {
            name: "dtrp".to_owned(),
            modules: 2,
            order: None,
            predictor: PredictorSpec(Spec::named("momentum")),
            cuts: Cuts::Even,
            recompute: Recomputing::Usual,
            costs: None,
            memory_budget: None,
            batch_compensation: BatchCompensation::default(),
            micro_batches: 1,
            accumulate: 1,
            program: None,
            probe_every: 10,
            gradient_shrink: 1.0,
            lr_shrink: 1.0,
            spike: false,
            rescale_epochs: 0.0,
            auxiliary: "mlp".to_owned(),
        }
    }
}

impl MethodSettings {
    /// Whether something is chosen by what blocks cost.
    pub fn goes_by_costs(&self) -> bool {
        self.cuts == Cuts::Auto || self.recompute == Recomputing::Auto
    }
}

/// Batch compensation: what makes up for workers that wait, measured before training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BatchCompensation {
    /// Cuts as with [`Cuts::Auto`].
    pub balance: bool,
    /// Batches of batch size / utilisation, within the memory budget.
    pub fill: bool,
    /// How the learning rate follows the batch size.
    pub rate: RateRule,
}

/// How the learning rate follows the batch size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RateRule {
    /// In proportion.
    #[default]
    Linear,
    /// With its square root.
    Sqrt,
    /// Not at all.
    None,
}

words!(RateRule, "rate rule", [Linear "linear", Sqrt "sqrt", None "none"]);

/// A number of bytes above 0: `1500000000`, or `1.5 GB`, or `1.5 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "u64")]
pub struct Bytes(pub u64);

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
pub struct PredictorSpec(pub Spec);

impl TryFrom<Value> for PredictorSpec {
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

impl From<PredictorSpec> for Value {
    fn from(predictor: PredictorSpec) -> Self {
        predictor.0.to_value()
    }
}

impl From<&str> for PredictorSpec {
    fn from(name: &str) -> Self {
        Self(Spec::named(name))
    }
}

impl From<Spec> for PredictorSpec {
    fn from(spec: Spec) -> Self {
        Self(spec)
    }
}
