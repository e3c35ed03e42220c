//! Choices that people type: one word for each, in YAML, in JSON and on the command line.

use crate::UnknownName;
use serde::de::{Error, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// Reads one of some words.
#[doc(hidden)]
#[derive(Debug)]
pub struct WordVisitor<T> {
    words: &'static [&'static str],
    choice: PhantomData<T>,
}

impl<T> WordVisitor<T> {
    /// Of these.
    pub fn new(words: &'static [&'static str]) -> Self {
        Self {
            words,
            choice: PhantomData,
        }
    }
}

impl<T: FromStr<Err = UnknownName>> Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.words.join(", "))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        word.parse().map_err(E::custom)
    }
}

/// Gives an enum without data its words: `ALL`, `name`, `Display`, `FromStr`, and serde as strings. Whatever reads a word
/// that there is none of says so in the same way, with what may have been meant. After the type stands what one of them is
/// called in messages.
///
/// ```
/// #[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// enum Side {
///     Left,
///     Right,
/// }
///
/// dtrp_text::words!(Side, "side", [Left "left", Right "right"]);
///
/// assert_eq!("left".parse(), Ok(Side::Left));
/// let says = "unknown side `rihgt` (did you mean `right`?); the sides are left, right";
/// assert_eq!("rihgt".parse::<Side>().unwrap_err().to_string(), says);
/// ```
#[macro_export]
macro_rules! words {
    ($type:ident, $kind:literal, [$($variant:ident $word:literal),* $(,)?]) => {
        // The type may be private, and need not use all of it.
        #[allow(unreachable_pub, dead_code, clippy::allow_attributes)]
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
            type Err = $crate::UnknownName;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                $crate::find($kind, word, Self::ALL, |item| item.name())
            }
        }

        impl $crate::serde::Serialize for $type {
            fn serialize<S: $crate::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $type {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::WordVisitor::new(&[$($word),*]))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Executor {
        Threads,
        Sequential,
    }

    words!(Executor, "executor", [Threads "threads", Sequential "sequential"]);

    #[test]
    fn words_are_read_back_and_slips_are_understood() {
        for executor in Executor::ALL {
            assert_eq!(executor.name().parse(), Ok(executor));
            let json = serde_json::to_string(&executor).unwrap();
            assert_eq!(json, format!("\"{executor}\""));
            assert_eq!(serde_json::from_str::<Executor>(&json).unwrap(), executor);
        }
        let says = "unknown executor `thread` (did you mean `threads`?); the executors are threads, sequential";
        assert_eq!("thread".parse::<Executor>().unwrap_err().to_string(), says);
        let error = serde_json::from_str::<Executor>("\"thread\"").unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
        let error = serde_json::from_str::<Executor>("true").unwrap_err().to_string();
        assert!(error.contains("expected one of threads, sequential"), "{error}");
    }
}
