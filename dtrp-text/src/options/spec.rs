//! What an option is: its name, the values it takes, and what holds where it is not given.

use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// Options by name, as they are given: from YAML, from JSON, or [`option_values`].
pub type OptionValues = Map<String, Value>;

/// Options from pairs of name and value.
///
/// ```
/// let given = dtrp_text::option_values([("depth", 20.into()), ("stem", "cifar".into())]);
/// assert_eq!(given["depth"], 20);
/// ```
pub fn option_values<const N: usize>(pairs: [(&str, Value); N]) -> OptionValues {
    let pairs = pairs.into_iter();
    pairs.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One option that something declares. Its default is stated here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionSpec {
    /// The key.
    pub name: &'static str,
    /// Which values it takes, and its default.
    pub kind: OptionKind,
    /// What it does, in one line.
    pub summary: &'static str,
}

/// Which values an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptionKind {
    /// A number from `min` to `max`, both included; an end that is not finite does not bound it.
    Number {
        /// Where it is not given.
        default: f64,
        /// The least value.
        min: f64,
        /// The greatest value.
        max: f64,
    },
    /// A number from 0 to below 1, such as the probability of dropping something.
    Share {
        /// Where it is not given.
        default: f64,
    },
    /// A whole number from `min` to `max`, both included.
    Count {
        /// Where it is not given; none where that is for the reader to say.
        default: Option<u64>,
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
    /// `true` or `false`.
    Flag {
        /// Where it is not given.
        default: bool,
    },
    /// One of a few words.
    Choice {
        /// Where it is not given: one of the words.
        default: &'static str,
        /// The words.
        words: &'static [&'static str],
    },
    /// The path of a file. It has no default.
    Path,
    /// The shape of an image: channels, height and width. How many of each make sense is for the reader to say.
    Shape {
        /// Where it is not given; none where that is for the reader to say.
        default: Option<[usize; 3]>,
    },
}

impl OptionSpec {
    /// A number from `range`, which is `default` where it is not given.
    pub const fn number(name: &'static str, default: f64, range: RangeInclusive<f64>, summary: &'static str) -> Self {
        let (min, max) = (*range.start(), *range.end());
        let kind = OptionKind::Number { default, min, max };
        Self { name, kind, summary }
    }

    /// A number from 0 to below 1, which is `default` where it is not given.
    pub const fn share(name: &'static str, default: f64, summary: &'static str) -> Self {
        let kind = OptionKind::Share { default };
        Self { name, kind, summary }
    }

    /// A whole number from `range`, which is `default` where it is not given.
    pub const fn count(name: &'static str, default: u64, range: RangeInclusive<u64>, summary: &'static str) -> Self {
        Self::maybe_count(name, Some(default), range, summary)
    }

    /// A whole number from `range` that need not be given and has no default.
    pub const fn optional_count(name: &'static str, range: RangeInclusive<u64>, summary: &'static str) -> Self {
        Self::maybe_count(name, None, range, summary)
    }

    const fn maybe_count(
        name: &'static str,
        default: Option<u64>,
        range: RangeInclusive<u64>,
        summary: &'static str,
    ) -> Self {
        let (min, max) = (*range.start(), *range.end());
        let kind = OptionKind::Count { default, min, max };
        Self { name, kind, summary }
    }

    /// A flag, which is `default` where it is not given.
    pub const fn flag(name: &'static str, default: bool, summary: &'static str) -> Self {
        let kind = OptionKind::Flag { default };
        Self { name, kind, summary }
    }

    /// One of `words`, which is `default` where it is not given.
    pub const fn choice(
        name: &'static str,
        default: &'static str,
        words: &'static [&'static str],
        summary: &'static str,
    ) -> Self {
        let kind = OptionKind::Choice { default, words };
        Self { name, kind, summary }
    }

    /// The path of a file, which has no default.
    pub const fn path(name: &'static str, summary: &'static str) -> Self {
        let kind = OptionKind::Path;
        Self { name, kind, summary }
    }

    /// A shape: channels, height and width, which are `default` where they are not given.
    pub const fn shape(name: &'static str, default: Option<[usize; 3]>, summary: &'static str) -> Self {
        let kind = OptionKind::Shape { default };
        Self { name, kind, summary }
    }
}

impl OptionKind {
    /// What holds where the option is not given; null where it has no default.
    pub fn default(&self) -> Value {
        match *self {
            Self::Number { default, .. } | Self::Share { default } => default.into(),
            Self::Count { default, .. } => default.into(),
            Self::Flag { default } => default.into(),
            Self::Choice { default, .. } => default.into(),
            Self::Path => Value::Null,
            Self::Shape { default } => default.map_or(Value::Null, |shape| shape.to_vec().into()),
        }
    }

    /// Whether the option can have this value.
    pub(super) fn takes(&self, value: &Value) -> bool {
        match *self {
            Self::Number { min, max, .. } => value.as_f64().is_some_and(|v| min <= v && v <= max),
            Self::Share { .. } => value.as_f64().is_some_and(|v| (0.0..1.0).contains(&v)),
            Self::Count { min, max, .. } => value.as_u64().is_some_and(|v| (min..=max).contains(&v)),
            Self::Flag { .. } => value.is_boolean(),
            Self::Choice { words, .. } => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Path => value.as_str().is_some_and(|path| !path.is_empty()),
            Self::Shape { .. } => shape(value).is_some(),
        }
    }

    /// What it takes, as it stands after "must be".
    pub(super) fn expected(&self) -> String {
        match *self {
            Self::Number { min, max, .. } => match (min.is_finite(), max.is_finite()) {
                (true, true) => format!("a number from {min} to {max}"),
                (true, false) => format!("a number of at least {min}"),
                (false, true) => format!("a number of at most {max}"),
                (false, false) => "a number".to_owned(),
            },
            Self::Share { .. } => "a number from 0 to below 1".to_owned(),
            Self::Count { min, max: u64::MAX, .. } => format!("a whole number from {min}"),
            Self::Count { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Flag { .. } => "true or false".to_owned(),
            Self::Choice { words, .. } => match words {
                [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
                words => words.concat(),
            },
            Self::Path => "the path of a file".to_owned(),
            Self::Shape { .. } => "[channels, height, width], such as [3, 32, 32]".to_owned(),
        }
    }

    fn schema(&self) -> Map<String, Value> {
        let mut schema = match *self {
            Self::Number { min, max, .. } => json!({
                "type": "number",
                "default": null,
                "minimum": min.is_finite().then_some(min),
                "maximum": max.is_finite().then_some(max),
            }),
            Self::Share { .. } => json!({ "type": "number", "default": null, "minimum": 0, "exclusiveMaximum": 1 }),
            Self::Count { min, max, .. } => json!({
                "type": "integer",
                "default": null,
                "minimum": min,
                "maximum": (max != u64::MAX).then_some(max),
            }),
            Self::Flag { .. } => json!({ "type": "boolean", "default": null }),
            Self::Choice { words, .. } => json!({ "type": "string", "default": null, "enum": words }),
            Self::Path => json!({ "type": "string", "default": null, "minLength": 1 }),
            Self::Shape { .. } => json!({
                "type": "array",
                "default": null,
                "items": { "type": "integer", "minimum": 0 },
                "minItems": 3,
                "maxItems": 3,
            }),
        };
        schema["default"] = self.default();
        let entries = schema.as_object_mut().map(std::mem::take).unwrap_or_default();
        entries.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

/// Channels, height and width, if `value` is a shape.
pub(super) fn shape(value: &Value) -> Option<[usize; 3]> {
    let counts = value.as_array()?.iter();
    let counts: Option<Vec<_>> = counts
        .map(|count| count.as_u64().and_then(|n| usize::try_from(n).ok()))
        .collect();
    counts?.try_into().ok()
}

/// The JSON schema of an object with these options and no others.
pub fn schema(options: &[OptionSpec]) -> Value {
    let property = |option: &OptionSpec| {
        let mut schema = option.kind.schema();
        schema.insert("description".to_owned(), option.summary.into());
        (option.name.to_owned(), schema.into())
    };
    let properties: Map<String, Value> = options.iter().map(property).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// What holds where no option is given, by name; options without a default are not in it.
pub fn defaults(options: &[OptionSpec]) -> OptionValues {
    let all = options
        .iter()
        .map(|option| (option.name.to_owned(), option.kind.default()));
    all.filter(|(_, value)| !value.is_null()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: [OptionSpec; 8] = [
        OptionSpec::number("rho", 1.0, 0.0..=1.0, "how far"),
        OptionSpec::number("scale", 1.0, f64::NEG_INFINITY..=f64::INFINITY, "how much"),
        OptionSpec::share("dropout", 0.5, "how many"),
        OptionSpec::optional_count("resize", 1..=9, "how large"),
        OptionSpec::flag("last", false, "whether"),
        OptionSpec::choice("stem", "large", &["large", "small"], "which"),
        OptionSpec::shape("shape", Some([3, 32, 32]), "what"),
        OptionSpec::path("file", "from where"),
    ];

    #[test]
    fn schemas_say_what_is_allowed() {
        let expected = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "rho": { "type": "number", "default": 1.0, "minimum": 0.0, "maximum": 1.0, "description": "how far" },
                "scale": { "type": "number", "default": 1.0, "description": "how much" },
                "dropout": {
                    "type": "number", "default": 0.5, "minimum": 0, "exclusiveMaximum": 1, "description": "how many"
                },
                "resize": { "type": "integer", "minimum": 1, "maximum": 9, "description": "how large" },
                "last": { "type": "boolean", "default": false, "description": "whether" },
                "stem": { "type": "string", "default": "large", "enum": ["large", "small"], "description": "which" },
                "shape": {
                    "type": "array", "default": [3, 32, 32], "items": { "type": "integer", "minimum": 0 },
                    "minItems": 3, "maxItems": 3, "description": "what"
                },
                "file": { "type": "string", "minLength": 1, "description": "from where" },
            }
        });
        assert_eq!(schema(&OPTIONS), expected);
        assert_eq!(
            schema(&OPTIONS).to_string(),
            expected.to_string(),
            "in the order of their declaration"
        );
    }

    #[test]
    fn defaults_are_taken_by_their_options() {
        let defaults = defaults(&OPTIONS);
        assert_eq!(defaults.len(), OPTIONS.len() - 2, "all but `resize` and `file`");
        for option in OPTIONS {
            assert!(
                defaults.get(option.name).is_none_or(|value| option.kind.takes(value)),
                "{}",
                option.name
            );
        }
    }
}
