//! Auxiliary heads for local learning: small classifiers that give the modules below the last one a loss of their own.

mod convolutional;

use crate::ModelError;
use crate::describe::BlockInfo;
use dtrp_core::torch::BlockSpec;
use std::ops::Range;

/// A kind of auxiliary head, by name. Register one of your own with `inventory::submit!`, and it can be named like those that
/// are here:
///
/// ```
/// use dtrp_core::torch::{Block, BlockSpec, Pass, Vars};
/// use dtrp_models::auxiliary::{HeadInput, HeadKind};
/// use dtrp_models::inventory;
/// use dtrp_models::layers::{Linear, average_pool};
/// use tch::{TchError, Tensor};
///
/// inventory::submit!(HeadKind::new("mean", "one linear layer on the mean of each channel", mean));
///
/// fn mean(input: &HeadInput<'_>) -> BlockSpec {
///     let (channels, classes) = (input.shape[0] as i64, input.classes as i64);
///     BlockSpec::build(input.name, |scope| {
///         Mean(Linear::torch(&mut scope.sub(input.name).sub("fc"), channels, classes))
///     })
/// }
///
/// struct Mean(Linear);
///
/// impl Block for Mean {
///     fn forward(&self, vars: &Vars<'_>, features: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
///         self.0.forward(vars, &average_pool(features, [1, 1])?)
///     }
/// }
///
/// assert_eq!(HeadKind::named("mean")?.summary, "one linear layer on the mean of each channel");
/// # Ok::<(), dtrp_models::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct HeadKind {
    /// The name in YAML and on the command line.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    build: BuildHead,
}

/// What builds a head: a block from a module's output to logits, samples × classes. Its parameters' names start with the name
/// it is given and a dot.
pub type BuildHead = fn(&HeadInput<'_>) -> BlockSpec;

/// What a head is built for.
#[derive(Debug, Clone, Copy)]
pub struct HeadInput<'a> {
    /// The name of the block.
    pub name: &'a str,
    /// Channels, height and width of the module's output for each sample, which may also come flat where height and width are
    /// 1.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// The module, from 1. The last one has no head.
    pub module: usize,
    /// Number of modules.
    pub modules: usize,
    /// The blocks above the module, in the order in which they run.
    pub above: &'a [BlockInfo],
}

inventory::collect!(HeadKind);

impl HeadKind {
    /// A kind of head.
    pub const fn new(name: &'static str, summary: &'static str, build: BuildHead) -> Self {
        Self { name, summary, build }
    }

    /// The kind of this name.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unknown`].
    pub fn named(name: &str) -> Result<&'static Self, ModelError> {
        Ok(dtrp_text::find("auxiliary head", name, list(), |kind| kind.name)?)
    }

    /// One head.
    pub fn build(&self, input: &HeadInput<'_>) -> BlockSpec {
        (self.build)(input)
    }
}

/// Every kind of head, by name.
pub fn list() -> Vec<&'static HeadKind> {
    let mut kinds: Vec<_> = inventory::iter::<HeadKind>.into_iter().collect();
    kinds.sort_by_key(|kind| kind.name);
    kinds
}

/// The heads of all modules but the last, for a network with these `blocks` cut into `modules`. Each is a block from the
/// module's output to logits, samples × `classes`; its parameters' names start with `auxiliary1.`, `auxiliary2.`, …, so
/// they cannot be taken for the network's.
pub fn heads(kind: &HeadKind, blocks: &[BlockInfo], modules: &[Range<usize>], classes: usize) -> Vec<BlockSpec> {
    let below_last = modules.iter().zip(1..modules.len());
    let of_module = |(range, module): (&Range<usize>, usize)| {
        kind.build(&HeadInput {
            name: &format!("auxiliary{module}"),
            shape: image(&blocks[range.end - 1]),
            classes,
            module,
            modules: modules.len(),
            above: &blocks[range.end..],
        })
    };
    below_last.map(of_module).collect()
}

/// A block's output as channels, height and width.
fn image(block: &BlockInfo) -> [usize; 3] {
    match *block.output_shape() {
        [channels, height, width] => [channels, height, width],
        ref shape => [shape.iter().product(), 1, 1],
    }
}
