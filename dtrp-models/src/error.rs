//! What can go wrong with a model.

use std::path::PathBuf;

/// An error of the model zoo.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No family has this name.
    #[error("unknown model `{name}`{}; the models are {known}", nearest.as_deref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// The name asked for.
        name: String,
        /// The nearest name, if one is near.
        nearest: Option<String>,
        /// All names.
        known: String,
    },
    /// No auxiliary head has this name.
    #[error("unknown auxiliary head `{name}`{}; the heads are {known}", nearest.as_deref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    UnknownHead {
        /// The name asked for.
        name: String,
        /// The nearest name, if one is near.
        nearest: Option<String>,
        /// All names.
        known: String,
    },
    /// The family has no such option.
    #[error("model `{model}` has no option `{option}`{}; it has {known}", nearest.as_deref().map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    UnknownOption {
        /// The family.
        model: &'static str,
        /// The option asked for.
        option: String,
        /// The nearest option, if one is near.
        nearest: Option<String>,
        /// All options.
        known: String,
    },
    /// An option has a value that it cannot have.
    #[error("model `{model}`: option `{option}` is {value}, but must be {expected}")]
    Option {
        /// The family.
        model: &'static str,
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// The images do not fit the model.
    #[error("model `{model}` cannot take images of {height} x {width}: {reason}")]
    Input {
        /// The family.
        model: &'static str,
        /// Height of the images.
        height: usize,
        /// Width of the images.
        width: usize,
        /// Why.
        reason: String,
    },
    /// A block cannot run on its input.
    #[error("block `{block}` fails on an input of shape {shape:?}: {message}")]
    Block {
        /// The block.
        block: String,
        /// The shape of its input, samples first.
        shape: Vec<i64>,
        /// libtorch's message.
        message: String,
    },
    /// There are more modules than blocks.
    #[error("the network has {blocks} blocks and cannot be cut into {modules} modules; take at most {blocks}")]
    TooManyModules {
        /// Blocks of the network.
        blocks: usize,
        /// Modules asked for.
        modules: usize,
    },
    /// The cuts given by hand do not fit.
    #[error(
        "the cuts {cuts:?} do not make {modules} modules of {blocks} blocks: give {} ascending numbers from 1 to {}, \
         the number of blocks below each cut",
        modules - 1, blocks - 1
    )]
    Cuts {
        /// The cuts given.
        cuts: Vec<usize>,
        /// Modules asked for.
        modules: usize,
        /// Blocks of the network.
        blocks: usize,
    },
    /// A weights file cannot be read or written.
    #[error("{}: {message}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}
