//! Where the network is cut into modules.

use dtrp_models::{ModelError, split_at, split_before, split_evenly};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::Range;
use std::str::FromStr;

/// Where the network is cut into modules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Cuts {
    /// As many blocks in each module as in every other; where that does not come out even, the last ones have one more.
    #[default]
    Even,
    /// Where the slowest worker is as fast as it can be, over costs that are measured or given.
    Auto,
    /// For each cut the number of blocks below it.
    At(Vec<usize>),
    /// For each cut the name of the place: of the block, or of the part of a block, with which the module above it begins, such
    /// as `layer2.1` or `layer2.1/conv2`.
    Before(Vec<String>),
}

impl Cuts {
    /// The blocks of each of `modules` modules, where the cuts do not depend on costs; `None` for [`Cuts::Auto`]. `blocks` are
    /// the names of those of the network, which has been cut inside blocks where [`Cuts::Before`] says so.
    ///
    /// # Errors
    ///
    /// [`ModelError::TooManyModules`], [`ModelError::Cuts`], [`ModelError::Unknown`] and [`ModelError::Places`] where the cuts do
    /// not fit.
    pub fn ranges<'a>(
        &self,
        blocks: impl Iterator<Item = &'a str>,
        modules: usize,
    ) -> Result<Option<Vec<Range<usize>>>, ModelError> {
        let names: Vec<&str> = blocks.collect();
        match self {
            Cuts::Even => split_evenly(names.len(), modules).map(Some),
            Cuts::At(at) => split_at(names.len(), modules, at).map(Some),
            Cuts::Before(places) => split_before(&names, modules, places).map(Some),
            Cuts::Auto => Ok(None),
        }
    }
}

impl TryFrom<Value> for Cuts {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let wrong = "expected `even`, `auto`, or a list with the number of blocks below each cut, such as [3, 7], or with the \
                     names of places, such as [layer2.1/conv2]";
        let name = |value: &Value| value.as_str().map(str::to_owned);
        match value {
            Value::String(word) if word == "even" => Ok(Self::Even),
            Value::String(word) if word == "auto" => Ok(Self::Auto),
            Value::Array(names) if names.first().is_some_and(Value::is_string) => Ok(Self::Before(
                names.iter().map(name).collect::<Option<_>>().ok_or(wrong)?,
            )),
            Value::Array(numbers) => {
                let blocks = numbers.iter().map(|n| n.as_u64().map(|n| n as usize));
                Ok(Self::At(blocks.collect::<Option<_>>().ok_or(wrong)?))
            }
            _ => Err(wrong),
        }
    }
}

impl FromStr for Cuts {
    type Err = String;

    /// As on a command line, where a list is numbers or places with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = || text.split(',').map(|number| number.trim().parse().ok());
        match text {
            "even" => Ok(Self::Even),
            "auto" => Ok(Self::Auto),
            _ if text.contains(['/', '.']) => Ok(Self::Before(text.split(',').map(|place| place.trim().to_owned()).collect())),
            _ => numbers().collect::<Option<_>>().map(Self::At).ok_or_else(|| {
                "expected `even`, `auto`, the numbers of blocks below the cuts, such as 3,7, or places, such as layer2.1/conv2"
                    .to_owned()
            }),
        }
    }
}

impl From<Cuts> for Value {
    fn from(cuts: Cuts) -> Self {
        match cuts {
            Cuts::Even => "even".into(),
            Cuts::Auto => "auto".into(),
            Cuts::At(blocks) => blocks.into(),
            Cuts::Before(places) => places.into(),
        }
    }
}

impl<const N: usize> From<[&str; N]> for Cuts {
    fn from(places: [&str; N]) -> Self {
        Self::Before(places.map(str::to_owned).to_vec())
    }
}

impl<const N: usize> From<[usize; N]> for Cuts {
    fn from(at: [usize; N]) -> Self {
        Self::At(at.to_vec())
    }
}
