//! Where the network is cut into modules.

use dtrp_models::{ModelError, split_at, split_evenly};
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
}

impl Cuts {
    /// The blocks of each of `modules` modules, where the cuts do not depend on costs; `None` for [`Cuts::Auto`].
    ///
    /// # Errors
    ///
    /// [`ModelError::TooManyModules`] and [`ModelError::Cuts`] where the cuts do not fit.
    pub fn ranges(&self, blocks: usize, modules: usize) -> Result<Option<Vec<Range<usize>>>, ModelError> {
        match self {
            Cuts::Even => split_evenly(blocks, modules).map(Some),
            Cuts::At(at) => split_at(blocks, modules, at).map(Some),
            Cuts::Auto => Ok(None),
        }
    }
}

impl TryFrom<Value> for Cuts {
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

impl FromStr for Cuts {
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

impl From<Cuts> for Value {
    fn from(cuts: Cuts) -> Self {
        match cuts {
            Cuts::Even => "even".into(),
            Cuts::Auto => "auto".into(),
            Cuts::At(blocks) => blocks.into(),
        }
    }
}

impl<const N: usize> From<[usize; N]> for Cuts {
    fn from(at: [usize; N]) -> Self {
        Self::At(at.to_vec())
    }
}
