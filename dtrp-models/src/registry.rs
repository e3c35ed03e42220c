//! Families by name.

use crate::ModelError;
use crate::options::{OptionSpec, Options, Reader, nearest};
use dtrp_core::torch::BlockSpec;

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

/// What builds a family's blocks from its options and the input.
pub type Build = fn(&Reader<'_>, &ModelInput) -> Result<Vec<BlockSpec>, ModelError>;

/// A family of networks. Register one of your own with `inventory::submit!`, and it can be named like those that are here:
///
/// ```
/// use dtrp_core::torch::{Block, BlockSpec, Pass, Vars};
/// use dtrp_models::layers::{Linear, average_pool};
/// use dtrp_models::{Family, ModelError, ModelInput, Options, Reader, build, inventory};
/// use tch::{TchError, Tensor};
///
/// inventory::submit!(Family::new("logistic", "logistic regression on mean colours", &[], blocks));
///
/// fn blocks(_: &Reader<'_>, input: &ModelInput) -> Result<Vec<BlockSpec>, ModelError> {
///     let (channels, classes) = (input.channels as i64, input.classes as i64);
///     Ok(vec![BlockSpec::build("fc", |scope| {
///         Logistic(Linear::torch(&mut scope.sub("fc"), channels, classes))
///     })])
/// }
///
/// struct Logistic(Linear);
///
/// impl Block for Logistic {
///     fn forward(&self, vars: &Vars<'_>, images: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
///         self.0.forward(vars, &average_pool(images, [1, 1])?)
///     }
/// }
///
/// let cifar = ModelInput { channels: 3, height: 32, width: 32, classes: 10 };
/// assert_eq!(build("logistic", &Options::new(), &cifar)?.parameters(), 40);
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
    /// The blocks.
    pub blocks: Vec<BlockSpec>,
}

impl Network {
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

/// Builds the network `name` for images like `input`.
///
/// # Errors
///
/// [`ModelError`] when there is no such family, or an option or the input does not fit it.
pub fn build(name: &str, options: &Options, input: &ModelInput) -> Result<Network, ModelError> {
    let families = list();
    let Some(family) = families.iter().find(|family| family.name == name) else {
        let names = || families.iter().map(|family| family.name);
        return Err(ModelError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, names()),
            known: names().collect::<Vec<_>>().join(", "),
        });
    };
    let reader = Reader::new(family.name, family.options, options)?;
    Ok(Network {
        blocks: (family.build)(&reader, input)?,
    })
}
