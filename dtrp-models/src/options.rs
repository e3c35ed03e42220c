//! Options of a model: names and values as they come from YAML, checked against what the family declares.

use crate::ModelError;
use crate::registry::ModelInput;
use serde_json::{Map, Value};

/// Options by name.
pub type Options = Map<String, Value>;

/// Options from pairs.
pub fn options<const N: usize>(pairs: [(&str, Value); N]) -> Options {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// An option that a family declares.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its name.
    pub name: &'static str,
    /// Its default, as YAML.
    pub default: &'static str,
    /// What it means and may be, in one line.
    pub help: &'static str,
}

/// Reads the options of one family. Where an option is not given it returns the default, which is the caller's to repeat
/// from the [`OptionSpec`].
pub struct Reader<'a> {
    model: &'static str,
    options: &'a Options,
}

impl<'a> Reader<'a> {
    /// Checks that every option given is one of those declared.
    pub(crate) fn new(model: &'static str, declared: &[OptionSpec], options: &'a Options) -> Result<Self, ModelError> {
        let known = || declared.iter().map(|o| o.name);
        match options.keys().find(|key| !known().any(|name| name == *key)) {
            None => Ok(Self { model, options }),
            Some(option) => Err(ModelError::UnknownOption {
                model,
                option: option.clone(),
                nearest: nearest(option, known()),
                known: known().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The error that says what `option` may be.
    pub fn invalid(&self, option: &'static str, expected: &str) -> ModelError {
        ModelError::Option {
            model: self.model,
            option,
            value: self.options.get(option).map_or("missing".to_owned(), Value::to_string),
            expected: expected.to_owned(),
        }
    }

    /// The error that says why the family cannot take images like `input`.
    pub fn misfit(&self, input: &ModelInput, reason: &str) -> ModelError {
        ModelError::Input {
            model: self.model,
            height: input.height,
            width: input.width,
            reason: reason.to_owned(),
        }
    }

    /// A whole number from 1.
    ///
    /// # Errors
    ///
    /// [`ModelError::Option`] when it is anything else.
    pub fn count(&self, option: &'static str, default: usize) -> Result<usize, ModelError> {
        match self.options.get(option) {
            None => Ok(default),
            Some(value) => value
                .as_u64()
                .filter(|n| (1..=1 << 20).contains(n))
                .map(|n| n as usize)
                .ok_or_else(|| self.invalid(option, "a whole number from 1")),
        }
    }

    /// True or false.
    ///
    /// # Errors
    ///
    /// [`ModelError::Option`] when it is anything else.
    pub fn flag(&self, option: &'static str, default: bool) -> Result<bool, ModelError> {
        match self.options.get(option) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| self.invalid(option, "true or false")),
        }
    }

    /// A probability from 0 to below 1.
    ///
    /// # Errors
    ///
    /// [`ModelError::Option`] when it is anything else.
    pub fn probability(&self, option: &'static str, default: f64) -> Result<f64, ModelError> {
        match self.options.get(option) {
            None => Ok(default),
            Some(value) => value
                .as_f64()
                .filter(|p| (0.0..1.0).contains(p))
                .ok_or_else(|| self.invalid(option, "a number from 0 to below 1")),
        }
    }

    /// One of a few words.
    ///
    /// # Errors
    ///
    /// [`ModelError::Option`] when it is anything else.
    pub fn choice<T: Copy>(
        &self,
        option: &'static str,
        choices: &[(&'static str, T)],
        default: T,
    ) -> Result<T, ModelError> {
        let Some(value) = self.options.get(option) else {
            return Ok(default);
        };
        let found = choices.iter().find(|(name, _)| value.as_str() == Some(name));
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        found
            .map(|(_, choice)| *choice)
            .ok_or_else(|| self.invalid(option, &names.join(" or ")))
    }
}

/// The name most like `wanted`, if it is near enough to be a slip of the pen.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = names.map(|name| (strsim::jaro_winkler(wanted, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then(|| best.1.to_owned())
}
