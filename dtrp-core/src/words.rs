//! Choices that people type: one word for each, in YAML, in JSON and on the command line.

/// Gives an enum without data its words: `ALL`, `name`, `Display`, `FromStr`, and serde as strings. Whatever reads a word
/// that there is none of says so in the same way, with what may have been meant.
macro_rules! words {
    ($type:ident, $kind:literal, [$($variant:ident $word:literal),* $(,)?]) => {
        impl $type {
            /// Every one, in the order in which they are listed.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            /// The word in text, JSON and YAML.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = dtrp_text::UnknownName;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                dtrp_text::find($kind, word, Self::ALL, |item| item.name())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::engine::Executor;
    use crate::schedule::Order;

    #[test]
    fn words_are_read_back_and_slips_are_understood() {
        for order in Order::ALL {
            assert_eq!(order.name().parse(), Ok(order));
            let json = serde_json::to_string(&order).unwrap();
            assert_eq!(json, format!("\"{order}\""));
            assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), order);
        }
        let says = "unknown executor `thread` (did you mean `threads`?); the executors are threads, sequential";
        assert_eq!("thread".parse::<Executor>().unwrap_err().to_string(), says);
        let error = serde_json::from_str::<Executor>("\"thread\"").unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}
