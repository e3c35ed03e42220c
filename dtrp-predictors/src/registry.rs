//! Which predictors there are, and how one is made.

use crate::error::KIND;
use crate::{OptionSpec, Options, Predictor, PredictorError, Spec};
use dtrp_text::UnknownName;

/// Makes the predictor that `spec` asks for. A host makes one for each module.
///
/// # Errors
///
/// [`PredictorError::UnknownPredictor`], [`PredictorError::Option`], and for a plug-in [`PredictorError::Plugin`].
pub fn create(spec: &Spec) -> Result<Box<dyn Predictor>, PredictorError> {
    if let Some(path) = &spec.plugin {
        #[cfg(feature = "host")]
        return crate::loader::Library::open(path)?.create(&spec.name, &spec.options);
        #[cfg(not(feature = "host"))]
        return Err(crate::PluginError::NoLoader { path: path.clone() }.into());
    }
    let registration = find(&spec.name)?;
    let Description { name, options, .. } = registration.description;
    (registration.build)(&Options::new(KIND, name, options, &spec.options)?)
}

/// Every predictor linked into this program, built in or [registered](Registration) by others, sorted by name.
pub fn list() -> Vec<Description> {
    let mut all: Vec<_> = inventory::iter::<Registration>()
        .map(|registration| registration.description)
        .collect();
    all.sort_by_key(|description| description.name);
    all
}

/// The description of one predictor by name.
///
/// # Errors
///
/// [`PredictorError::UnknownPredictor`].
pub fn describe(name: &str) -> Result<Description, PredictorError> {
    Ok(find(name)?.description)
}

/// What a person needs to know to choose a predictor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Description {
    /// What it is chosen by. Built-ins have a plain word, others should use reverse-domain form.
    pub name: &'static str,
    /// Of the predictor, not of the interface.
    pub version: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Ŵ as a formula, and when it is exact.
    pub formula: &'static str,
    /// SPDX expression.
    pub licence: &'static str,
    /// Whether the host applies it or it predicts by itself.
    pub kind: Kind,
    /// The options it takes.
    pub options: &'static [OptionSpec],
}

/// Who makes the pass over memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The host, from coefficients: works on every device.
    Linear,
    /// The predictor, from slices.
    Custom,
}

/// A predictor that can be made by name: what a registration and a plug-in have in common.
pub trait Definition: Predictor + Sized + 'static {
    /// What it is.
    const DESCRIPTION: Description;

    /// Makes one from options that have been checked against the declared ones.
    ///
    /// # Errors
    ///
    /// Where options that are valid by themselves do not go together.
    fn build(options: &Options<'_>) -> Result<Self, PredictorError>;
}

/// An entry of the registry.
///
/// ```
/// # use dtrp_predictors::{builtin::Momentum, Registration};
/// # type Mine = Momentum;
/// dtrp_predictors::inventory::submit! { Registration::of::<Mine>() }
/// ```
#[derive(Clone, Copy)]
pub struct Registration {
    description: Description,
    build: fn(&Options<'_>) -> Result<Box<dyn Predictor>, PredictorError>,
}

impl Registration {
    /// The entry of `P`.
    pub const fn of<P: Definition>() -> Self {
        Self {
            description: P::DESCRIPTION,
            build: |options| Ok(Box::new(P::build(options)?)),
        }
    }
}

inventory::collect!(Registration);

fn find(name: &str) -> Result<&'static Registration, UnknownName> {
    let mut all: Vec<_> = inventory::iter::<Registration>().collect();
    all.sort_by_key(|registration| registration.description.name);
    dtrp_text::find(KIND, name, all, |registration| registration.description.name)
}
