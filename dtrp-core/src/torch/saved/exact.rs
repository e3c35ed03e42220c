//! Numbers that survive a file.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that is read back as it was written. It is written as a text of as many digits as tell it apart from all others: a
/// reader of JSON may round numbers, and JSON has none that are infinite, or NaN.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.parse();
        number
            .map(Self)
            .map_err(|_| D::Error::custom(format!("{text:?} is not a number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_back(number: f64) -> f64 {
        let written = serde_json::to_string(&Exact(number)).unwrap();
        serde_json::from_str::<Exact>(&written).unwrap().0
    }

    proptest! {
        #[test]
        fn all_bits_survive(bits: u64) {
            let number = f64::from_bits(bits);
            let read = read_back(number);
            prop_assert!(read.to_bits() == bits || (number.is_nan() && read.is_nan()));
        }
    }

    #[test]
    fn what_json_has_no_numbers_for() {
        for number in [
            0.0,
            -0.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            5e-324,
            f64::MAX,
        ] {
            assert_eq!(read_back(number).to_bits(), number.to_bits());
        }
        assert!(read_back(f64::NAN).is_nan());
        let error = serde_json::from_str::<Exact>("\"a few\"").unwrap_err();
        assert!(error.to_string().contains("\"a few\" is not a number"), "{error}");
    }
}
