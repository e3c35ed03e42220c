//! PyTorch networks, read from the files that `torch.export.save` writes: graphs of libtorch's operators with their weights.
//!
//! A block is a run of consecutive operators, so such a network can be cut nearly anywhere. The natural blocks are the modules
//! that its author made; [`Exported::places`] lists all places, with what crosses each of them.

mod anew;
mod archive;
mod arguments;
mod block;
mod cuts;
mod expression;
mod family;
mod graph;
mod inlined;
mod live;
mod maker;
mod needed;
mod origin;
mod own;
mod perform;
mod pieces;
mod reading;
mod report;
mod results;
mod rewrite;
mod schema;
mod semantics;
mod stored;

pub use cuts::{Crossing, Place};
pub use rewrite::rewritten;

use crate::ModelError;
use crate::registry::ModelInput;
use archive::Archive;
use dtrp_core::torch::BlockSpec;
use expression::Expression;
use graph::Graph;
use maker::Maker;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A PyTorch network that has been read: its graph, its weights, and where it can be cut.
pub struct Exported {
    path: PathBuf,
    /// Which of several outputs the logits are.
    output: Option<usize>,
    graph: Arc<Graph>,
    places: Vec<Place>,
}

impl Exported {
    /// Reads the file. `output` says which of several outputs are the logits, from 0.
    ///
    /// # Errors
    ///
    /// [`ModelError::Exported`] when the file cannot be read, is no archive of an exported network, is damaged, or has something
    /// in it that cannot be trained here: then with the node, its operator and the line of Python that it came from.
    pub fn open(path: &Path, output: Option<usize>) -> Result<Self, ModelError> {
        let graph = read(path, output).map_err(|message| ModelError::Exported {
            path: path.to_owned(),
            message,
        })?;
        Ok(Self::of(path.to_owned(), output, graph))
    }

    fn of(path: PathBuf, output: Option<usize>, graph: Graph) -> Self {
        Self {
            path,
            output,
            places: cuts::places(&graph),
            graph: Arc::new(graph),
        }
    }

    /// The images and the number of classes that it was exported for.
    ///
    /// # Errors
    ///
    /// [`ModelError::Exported`] when it takes no images, or gives no logits.
    pub fn input(&self) -> Result<ModelInput, ModelError> {
        let shape = |value: usize| self.graph.values[value].shape.as_deref().unwrap_or_default();
        let number = |side: &Expression| match side {
            Expression::Number(number) => usize::try_from(*number).ok(),
            _ => None,
        };
        let numbers = |sides: &[Expression]| sides.iter().map(number).collect::<Option<Vec<usize>>>();
        let (input, output) = (shape(self.graph.input), shape(self.graph.output));
        let image = input.get(1..).and_then(numbers);
        let Some([channels, height, width]) = image.as_deref() else {
            return Err(self.error(format!(
                "takes tensors of shape {}, but images are [batch, channels, height, width]",
                shape_text(input)
            )));
        };
        let (first, rest) = (output.first(), output.get(1..).and_then(numbers));
        let (Some(Expression::Batch), Some([classes])) = (first, rest.as_deref()) else {
            return Err(self.error(format!(
                "gives a tensor of shape {}, but logits are [batch, classes]",
                shape_text(output)
            )));
        };
        Ok(ModelInput {
            channels: *channels,
            height: *height,
            width: *width,
            classes: *classes,
        })
    }

    /// The same network for such images and classes. For another number of classes than it was exported for its last linear layer
    /// starts anew.
    ///
    /// # Errors
    ///
    /// [`ModelError::Input`] with what it was exported for, where it takes other images, or does not end in a linear layer.
    pub fn fitted(self, model: &str, input: &ModelInput) -> Result<Self, ModelError> {
        let own = self.input()?;
        let file = self.path.display();
        let image = |input: &ModelInput| format!("{} x {} x {}", input.channels, input.height, input.width);
        if image(&own) != image(input) {
            let reason = format!(
                "{file} was exported for {}, and the data has {}: export it with such an input, or change the data's shape",
                image(&own),
                image(input)
            );
            return Err(input.misfit(model, &reason));
        }
        if own.classes == input.classes {
            return Ok(self);
        }
        let mut graph = read(&self.path, self.output).map_err(|message| self.error(message))?;
        anew::for_classes(&mut graph, input.classes as i64).map_err(|problem| {
            let reason = format!(
                "{file} gives {} numbers for each, but the data has {} classes, and {problem}, which could start anew: export it \
                 with as many classes",
                own.classes, input.classes
            );
            input.misfit(model, &reason)
        })?;
        Ok(Self::of(self.path, self.output, graph))
    }

    /// Every place between two operators, with what crosses it, and why no cut can be there where none can.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The numbers of operators below the borders between natural blocks, and the blocks' names: one more.
    pub fn natural(&self) -> (Vec<usize>, Vec<String>) {
        let pieces = pieces::pieces(&self.graph, &self.places);
        let borders = pieces.iter().skip(1).map(|piece| piece.nodes.start).collect();
        (borders, pieces.into_iter().map(|piece| piece.name).collect())
    }

    /// The natural blocks. Each can be cut where a module is called inside it.
    pub fn natural_blocks(&self) -> Vec<BlockSpec> {
        let maker = Maker::new(&self.graph);
        let pieces = pieces::pieces(&self.graph, &self.places);
        pieces
            .iter()
            .map(|piece| maker.divisible(piece, &self.places))
            .collect()
    }

    /// Blocks between these places: for each the number of operators below it, ascending. Each block is called after the operator
    /// that it begins with.
    ///
    /// # Errors
    ///
    /// [`ModelError::Exported`] when there is no such place, or no cut can be there.
    pub fn blocks(&self, places: &[usize]) -> Result<Vec<BlockSpec>, ModelError> {
        let first = self.graph.nodes.first().map_or("input", |node| node.name.as_str());
        let name = |below: &usize| {
            self.places
                .get(below.wrapping_sub(1))
                .map_or("", |place| place.before.as_str())
        };
        let names: Vec<String> = std::iter::once(first)
            .chain(places.iter().map(name))
            .map(str::to_owned)
            .collect();
        let count = self.graph.nodes.len();
        let starts = std::iter::once(0).chain(places.iter().copied());
        let ranges: Vec<Range<usize>> = starts
            .zip(places.iter().copied().chain([count]))
            .map(|(a, b)| a..b)
            .collect();
        if ranges.iter().any(Range::is_empty) {
            return Err(self.error(format!(
                "cannot be cut at {places:?}: the numbers of operators below the cuts must ascend, from 1 to {}",
                count.saturating_sub(1)
            )));
        }
        for below in places {
            let place = &self.places[below - 1];
            if let Some(problem) = &place.problem {
                return Err(self.error(format!("cannot be cut before `{}`: {problem}", place.before)));
            }
        }
        let maker = Maker::new(&self.graph);
        let pairs = ranges.into_iter().zip(names);
        Ok(pairs.map(|(range, name)| maker.block(&name, range)).collect())
    }

    fn error(&self, message: String) -> ModelError {
        ModelError::Exported {
            path: self.path.clone(),
            message,
        }
    }
}

fn read(path: &Path, output: Option<usize>) -> Result<Graph, String> {
    const MODEL: &str = "models/model.json";
    let mut archive = Archive::open(path)?;
    let program = schema::Program::read(MODEL, &archive.read(MODEL)?)?;
    let weights = stored::tensors(&mut archive, "weights")?;
    let constants = stored::tensors(&mut archive, "constants")?;
    let graph = reading::graph(&program, &weights, &constants, output)?;
    if graph.nodes.is_empty() {
        return Err("gives its input back as it is: there is nothing to train".to_owned());
    }
    Ok(graph)
}

/// `[batch, 64, 7, 7]`
fn shape_text(shape: &[Expression]) -> String {
    let side = |side: &Expression| match side {
        Expression::Number(number) => number.to_string(),
        Expression::Batch => "batch".to_owned(),
        Expression::Product(parts) => match &parts[..] {
            [Expression::Number(n), Expression::Batch] | [Expression::Batch, Expression::Number(n)] => {
                format!("{n}*batch")
            }
            _ => "?".to_owned(),
        },
        _ => "?".to_owned(),
    };
    format!("[{}]", shape.iter().map(side).collect::<Vec<_>>().join(", "))
}
