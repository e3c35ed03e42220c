//! Families by name.

use crate::ModelError;
use dtrp_core::torch::BlockSpec;
use dtrp_text::{OptionSpec, OptionValues, Options};

/// The shape of the images and the number of classes that a network is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelInput {
    /// Channels of an image.
    pub channels: usize,
    /// Its height in pixels.
    pub height: usize,
    /// Its width in pixels.
    pub width: usize,
    /// Number of classes.
    pub classes: usize,
}

impl ModelInput {
    /// The error that says why `model` cannot take images like these.
    pub fn misfit(&self, model: &str, reason: &str) -> ModelError {
        ModelError::Input {
            model: model.to_owned(),
            height: self.height,
            width: self.width,
            reason: reason.to_owned(),
        }
    }
}

/// What builds a family's blocks from its options, which have been checked against the declared ones, and the input.
pub type Build = fn(&Options<'_>, &ModelInput) -> Result<Vec<BlockSpec>, ModelError>;

/// A family of networks. Register one of your own with `inventory::submit!`, and it can be named like those that are here:
///
/// ```
/// use dtrp_core::torch::{Block, BlockSpec, Pass, Vars};
/// use dtrp_models::layers::{Linear, average_pool};
/// use dtrp_models::{Family, ModelError, ModelInput, OptionSpec, Options, build, inventory, option_values};
/// use tch::{TchError, Tensor};
///
/// inventory::submit!(Family::new(
///     "logistic",
///     "logistic regression on mean colours",
///     &[OptionSpec::count("side", 1, 1..=64, "pixels of each side that are left")],
///     blocks,
/// ));
///
/// fn blocks(options: &Options<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
///     let (side, classes) = (options.count("side") as i64, input.classes as i64);
///     let features = input.channels as i64 * side * side;
///     Ok(vec![BlockSpec::build("fc", |scope| {
///         Logistic(side, Linear::torch(&mut scope.sub("fc"), features, classes))
///     })])
/// }
///
/// struct Logistic(i64, Linear);
///
/// impl Block for Logistic {
///     fn forward(&self, vars: &Vars<'_>, images: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
///         self.1.forward(vars, &average_pool(images, [self.0; 2])?)
///     }
/// }
///
/// let cifar = ModelInput { channels: 3, height: 32, width: 32, classes: 10 };
/// assert_eq!(build("logistic", &option_values([("side", 2.into())]), &cifar)?.parameters(), 130);
/// # Ok::<(), ModelError>(())
/// ```
pub struct Family {
    /// The name in YAML and on the command line.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Its options.
    pub options: &'static [OptionSpec],
    build: Build,
}

impl Family {
    /// A family. The last block that `build` makes gives the logits, samples × classes.
    pub const fn new(name: &'static str, summary: &'static str, options: &'static [OptionSpec], build: Build) -> Self {
        Self {
            name,
            summary,
            options,
            build,
        }
    }
}

inventory::collect!(Family);

/// A network: blocks in the order in which they run. The last one gives the logits, samples × classes. A copy costs next to
/// nothing: blocks hold shapes, not tensors.
#[derive(Clone)]
pub struct Network {
    /// What it is called: of a family, its name.
    pub name: String,
    /// The blocks.
    pub blocks: Vec<BlockSpec>,
    /// The family's options that make no difference to this network, such as a dropout where there is no layer for it: those
    /// that were not read while it was built.
    pub unread: Vec<&'static str>,
}

impl From<Vec<BlockSpec>> for Network {
    /// A network of one's own, called `network`.
    fn from(blocks: Vec<BlockSpec>) -> Self {
        Self {
            name: "network".to_owned(),
            blocks,
            unread: Vec::new(),
        }
    }
}

impl Network {
    /// The names of its blocks.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.blocks.iter().map(|block| block.name.as_str())
    }

    /// Number of elements of all parameters.
    pub fn parameters(&self) -> usize {
        self.blocks.iter().map(BlockSpec::parameters).sum()
    }
}

/// Every family, by name.
pub fn list() -> Vec<&'static Family> {
    let mut families: Vec<_> = inventory::iter::<Family>.into_iter().collect();
    families.sort_by_key(|family| family.name);
    families
}

/// The family of this name.
///
/// # Errors
///
/// [`ModelError::Unknown`].
pub fn find(name: &str) -> Result<&'static Family, ModelError> {
    Ok(dtrp_text::find("model", name, list(), |family| family.name)?)
}

/// The options of the model `name` that hold where none is given, by name.
///
/// # Errors
///
/// [`ModelError::Unknown`].
pub fn defaults(name: &str) -> Result<OptionValues, ModelError> {
    Ok(dtrp_text::defaults(find(name)?.options))
}

/// Builds the network `name` for images like `input`.
///
/// # Errors
///
/// [`ModelError`] when there is no such family, or an option or the input does not fit it.
pub fn build(name: &str, options: &OptionValues, input: &ModelInput) -> Result<Network, ModelError> {
    let family = find(name)?;
    let options = Options::of("model", family.name, family.options, options)?;
    let blocks = (family.build)(&options, input)?;
    Ok(Network {
        name: family.name.to_owned(),
        blocks,
        unread: options.unread(),
    })
}
