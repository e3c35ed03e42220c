//! What modules recompute between the forward and the backward of a batch.

use dtrp_core::schedule::Recompute;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What modules recompute.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Recomputing {
    /// What the method does.
    #[default]
    Usual,
    /// The same in every module but the last, which never recomputes.
    All(Recompute),
    /// Of each module, module 1 first.
    Each(Vec<Recompute>),
    /// For which the slowest worker is as fast as it can be within the memory budget, over costs that are measured or given.
    Auto,
}

impl Recomputing {
    /// For each of so many modules, as a plan has it; nothing where the method decides, or it has still to be found out.
    pub(crate) fn of(&self, modules: usize) -> Vec<Recompute> {
        match self {
            Self::Usual | Self::Auto => Vec::new(),
            Self::All(choice) => vec![*choice; modules],
            Self::Each(choices) => choices.clone(),
        }
    }
}

impl TryFrom<Value> for Recomputing {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let wrong = "expected null, `full`, `none`, `auto`, or a list with `full` or `none` for each module";
        let choice = |value: Value| serde_json::from_value::<Recompute>(value).map_err(|_| wrong);
        match value {
            Value::Null => Ok(Self::Usual),
            Value::String(word) if word == "auto" => Ok(Self::Auto),
            Value::Array(choices) => choices
                .into_iter()
                .map(choice)
                .collect::<Result<_, _>>()
                .map(Self::Each),
            word => choice(word).map(Self::All),
        }
    }
}

impl From<Recomputing> for Value {
    fn from(recompute: Recomputing) -> Self {
        match recompute {
            Recomputing::Usual => Value::Null,
            Recomputing::Auto => "auto".into(),
            Recomputing::All(choice) => choice.name().into(),
            Recomputing::Each(choices) => choices.into_iter().map(Recompute::name).collect(),
        }
    }
}

impl From<Recompute> for Recomputing {
    fn from(choice: Recompute) -> Self {
        Self::All(choice)
    }
}

impl<const N: usize> From<[Recompute; N]> for Recomputing {
    fn from(choices: [Recompute; N]) -> Self {
        Self::Each(choices.to_vec())
    }
}
