//! What can go wrong with a model.

use dtrp_text::{OptionError, UnknownName};
use std::path::PathBuf;

/// An error of the model zoo.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No family of models, or no auxiliary head, has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The family has no such option, or the option cannot have this value.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The images do not fit the model.
    #[error("model `{model}` cannot take images of {height} x {width}: {reason}")]
    Input {
        /// The family.
        model: String,
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
    /// There is no memory to run a block.
    #[error(
        "there is not enough memory to run block `{block}` on one input of shape {shape:?}{}: take smaller images or a \
         smaller network",
        .asked.as_ref().map_or_else(String::new, |asked| format!(" ({asked} were asked for)"))
    )]
    Memory {
        /// The block.
        block: String,
        /// The shape of its input, samples first.
        shape: Vec<i64>,
        /// What was asked for, if libtorch tells.
        asked: Option<String>,
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
    /// An exported network cannot be read, or not be trained.
    #[error("{} {message}", path.display())]
    Exported {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The places to cut at do not fit.
    #[error(
        "the cuts [{}] do not make {modules} modules: give {} places, from the lowest to the highest, each once",
        cuts.join(", "), modules - 1
    )]
    Places {
        /// The places given.
        cuts: Vec<String>,
        /// Modules asked for.
        modules: usize,
    },
    /// A parameter or buffer of an exported network is to start anew, but what uses it does not tell how.
    #[error(
        "`{name}` cannot start anew: it is known of weights and biases of convolutions, linear layers, norms and embeddings how they \
         start, not of this; leave it out"
    )]
    Anew {
        /// The parameter or buffer.
        name: String,
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
