//! The graph of a network: nodes in the order in which they run, values between them.

use super::expression::Expression;
use super::semantics::Does;
use super::stored::Stored;
use dtrp_core::torch::{Keep, Operator};
use std::collections::HashSet;
use tch::Kind;

/// A value, by its place in [`Graph::values`].
pub(super) type ValueId = usize;

/// A network's graph. Nodes that make no difference to the output or to a buffer are not in it.
pub(super) struct Graph {
    pub(super) values: Vec<Value>,
    pub(super) nodes: Vec<Node>,
    /// The samples.
    pub(super) input: ValueId,
    /// What the network gives: samples × classes.
    pub(super) output: ValueId,
    /// Parameters, buffers and constants; those that no node reads too.
    pub(super) held: Vec<Held>,
    /// Values that buffers have after a pass in training: the buffer, the value.
    pub(super) stores: Vec<(ValueId, ValueId)>,
    /// The element type in which the network was exported.
    pub(super) kind: Kind,
    /// The most samples that it was exported for.
    pub(super) most: Option<i64>,
}

/// A tensor, or a list of them that one node makes and others take apart.
pub(super) struct Value {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) kind: Kind,
    /// Its shape, where it depends on nothing but the number of samples.
    pub(super) shape: Option<Vec<Expression>>,
    /// Values of the same number may lie in the same memory.
    pub(super) memory: usize,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Input,
    Held(usize),
    /// Of the node with this number in [`Graph::nodes`].
    Node(usize),
}

/// A parameter, buffer or constant.
pub(super) struct Held {
    /// Its name in the PyTorch network.
    pub(super) name: String,
    /// Other names of it.
    pub(super) also: Vec<String>,
    pub(super) role: HeldRole,
    pub(super) stored: Stored,
    /// The values that stand for it: none if nothing reads it, several if it has several names.
    pub(super) values: Vec<ValueId>,
    /// Whether a pass in training changes it.
    pub(super) changes: bool,
    /// Whether it has another shape than in the file, and starts anew.
    pub(super) fresh: bool,
}

/// What a tensor of the network is to training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldRole {
    Parameter,
    Buffer(Keep),
}

/// A call of an operator.
pub(super) struct Node {
    /// Its place in the file: it stays the same however the network is cut.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) operator: Operator,
    pub(super) does: Does,
    pub(super) arguments: Vec<Argument>,
    pub(super) outputs: Vec<Output>,
    /// The modules that it was called in, the outermost first, without the network itself.
    pub(super) modules: Vec<Called>,
    /// The line of Python that it came from.
    pub(super) line: String,
    /// It matters for what buffers become, not for the output.
    pub(super) aside: bool,
    /// Gradients are off in it.
    pub(super) quiet: bool,
}

/// A PyTorch module that was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called {
    /// Its name in the network, such as `layer1.0`.
    pub(super) path: String,
    /// Its class, such as `torch.nn.modules.conv.Conv2d`.
    pub(super) class: String,
}

/// What an operator is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    Default,
    None,
    Tensor(ValueId),
    Tensors(Vec<Option<ValueId>>),
    Int(i64),
    Ints(Vec<i64>),
    Size(Expression),
    Sizes(Vec<Expression>),
    Float(f64),
    Floats(Vec<f64>),
    Bool(bool),
    Bools(Vec<bool>),
    Text(String),
    Kind(Kind),
    /// That of the run.
    Device,
}

/// What an operator returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    Tensor(ValueId),
    Tensors(Vec<ValueId>),
    /// Something that nobody reads.
    Unread,
}

impl Argument {
    /// The tensors in it.
    pub(super) fn tensors(&self) -> impl Iterator<Item = ValueId> {
        let (one, several): (Option<ValueId>, &[Option<ValueId>]) = match self {
            Self::Tensor(value) => (Some(*value), &[]),
            Self::Tensors(values) => (None, values),
            _ => (None, &[]),
        };
        one.into_iter().chain(several.iter().copied().flatten())
    }

    /// Whether it depends on the number of samples.
    pub(super) fn varies(&self) -> bool {
        match self {
            Self::Size(size) => size.varies(),
            Self::Sizes(sizes) => sizes.iter().any(Expression::varies),
            _ => false,
        }
    }
}

impl Output {
    /// The tensors in it.
    pub(super) fn tensors(&self) -> impl Iterator<Item = ValueId> {
        let (one, several): (Option<ValueId>, &[ValueId]) = match self {
            Self::Tensor(value) => (Some(*value), &[]),
            Self::Tensors(values) => (None, values),
            Self::Unread => (None, &[]),
        };
        one.into_iter().chain(several.iter().copied())
    }
}

impl Node {
    /// The tensors that it reads or changes.
    pub(super) fn inputs(&self) -> impl Iterator<Item = ValueId> {
        self.arguments.iter().flat_map(Argument::tensors)
    }

    /// The tensors that it makes.
    pub(super) fn results(&self) -> impl Iterator<Item = ValueId> {
        self.outputs.iter().flat_map(Output::tensors)
    }

    /// The tensors that it changes.
    pub(super) fn changed(&self) -> impl Iterator<Item = ValueId> {
        let declared = self.operator.signature().arguments.iter().zip(&self.arguments);
        let declared = declared.filter(|(declared, _)| declared.mutated);
        let declared = declared.flat_map(|(_, argument)| argument.tensors());
        declared.chain(self.does.statistics().flat_map(|index| self.arguments[index].tensors()))
    }

    /// Whether an argument depends on the number of samples.
    pub(super) fn varies(&self) -> bool {
        self.arguments.iter().any(Argument::varies)
    }

    /// Where an error is: the node, its operator, and the line of Python.
    pub(super) fn place(&self) -> String {
        place(&self.name, self.operator.name(), &self.modules, &self.line)
    }
}

/// Where an error is.
pub(super) fn place(node: &str, operator: &str, modules: &[Called], line: &str) -> String {
    let module = modules.last().map(|module| format!(" in module `{}`", module.path));
    let line = if line.is_empty() {
        String::new()
    } else {
        format!(", {line}")
    };
    format!("node `{node}` ({operator}{}{line})", module.unwrap_or_default())
}

impl Graph {
    /// The values that a parameter, buffer or constant has, and those that lie in its memory.
    pub(super) fn memories_of(&self, held: &Held) -> HashSet<usize> {
        held.values.iter().map(|value| self.values[*value].memory).collect()
    }
}
