//! Where a network can be cut.

use super::graph::{Graph, Held, HeldRole, Node, Source, ValueId};
use super::live::live;
use super::shape_text;
use dtrp_core::torch::Keep;
use std::collections::HashMap;
use std::ops::Range;
use tch::Kind;

/// A place between two operators of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// How many operators are below it.
    pub below: usize,
    /// The PyTorch module and the operator that come after it: `layer2.1.conv2/conv2d_12`.
    pub before: String,
    /// What crosses a cut there.
    pub crossing: Vec<Crossing>,
    /// Why no cut can be there.
    pub problem: Option<String>,
}

/// A tensor that crosses a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// Its name in the exported graph.
    pub name: String,
    /// Its shape; the number of samples is called `batch`.
    pub shape: String,
    /// Its element type in the file.
    pub kind: Kind,
    /// Its elements for one sample, where they can be told.
    pub elements: Option<u64>,
}

impl Place {
    /// Bytes that cross for one sample, as far as they can be told, in the element types of the file.
    pub fn bytes(&self) -> u64 {
        let crossing = self.crossing.iter();
        crossing
            .map(|tensor| tensor.elements.unwrap_or(0) * tensor.kind.elt_size_in_bytes() as u64)
            .sum()
    }
}

/// The nodes that a parameter, or a buffer that must be the same for all, is read or changed by.
struct Tied {
    name: String,
    nodes: Range<usize>,
}

/// Every place between two nodes.
pub(super) fn places(graph: &Graph) -> Vec<Place> {
    let live = live(graph);
    let known = Known::of(graph);
    let place = |below: usize| {
        let next = &graph.nodes[below];
        let module = next.modules.last().map_or("", |module| module.path.as_str());
        let separator = if module.is_empty() { "" } else { "/" };
        Place {
            below,
            before: format!("{module}{separator}{}", next.name),
            crossing: live[below].iter().map(|value| crossing(graph, *value)).collect(),
            problem: known.problem(below, &live[below]),
        }
    };
    (1..graph.nodes.len()).map(place).collect()
}

fn crossing(graph: &Graph, value: ValueId) -> Crossing {
    let value = &graph.values[value];
    let elements = value.shape.as_ref().and_then(|shape| {
        let sides = shape
            .iter()
            .map(|side| side.at(1).and_then(|side| u64::try_from(side).ok()));
        sides
            .collect::<Option<Vec<u64>>>()?
            .into_iter()
            .try_fold(1u64, u64::checked_mul)
    });
    Crossing {
        name: value.name.clone(),
        shape: value.shape.as_deref().map_or_else(|| "[?]".to_owned(), shape_text),
        kind: value.kind,
        elements,
    }
}

/// What cannot be in two modules: whatever is trained, changes, or is kept with the weights. Tables that never change can.
fn tied(graph: &Graph, held: &Held) -> Option<Tied> {
    if held.role == HeldRole::Buffer(Keep::Nothing) {
        return None;
    }
    let reads = |node: &&Node| node.inputs().any(|value| held.values.contains(&value));
    let first = graph.nodes.iter().position(|node| reads(&node));
    let last = graph.nodes.iter().rposition(|node| reads(&node));
    let stored = graph.stores.iter().filter(|(buffer, _)| held.values.contains(buffer));
    let stored = stored.filter_map(|(_, value)| match graph.values[*value].source {
        Source::Node(node) => Some(node),
        _ => None,
    });
    let all = first.into_iter().chain(last).chain(stored);
    let (least, most) = all.fold((usize::MAX, 0), |(least, most), node| (least.min(node), most.max(node)));
    (least < most).then(|| Tied {
        name: held.name.clone(),
        nodes: least..most,
    })
}

/// What decides over all places.
struct Known<'a> {
    graph: &'a Graph,
    tied: Vec<Tied>,
    /// The last node that changes something in this memory.
    changed: HashMap<usize, usize>,
    /// The parameters and buffers that lie in these memories, and may change between passes.
    held: HashMap<usize, &'a str>,
    /// The last node that needs to know how many samples there are.
    needs: Option<usize>,
}

impl<'a> Known<'a> {
    fn of(graph: &'a Graph) -> Self {
        let memory = |value: ValueId| graph.values[value].memory;
        let nodes = graph.nodes.iter().enumerate();
        let changed = nodes.flat_map(|(index, node)| node.changed().map(move |value| (memory(value), index)));
        let held = graph
            .held
            .iter()
            .filter(|held| held.role != HeldRole::Buffer(Keep::Nothing));
        let held = held.flat_map(|held| {
            held.values
                .iter()
                .map(move |value| (memory(*value), held.name.as_str()))
        });
        Self {
            graph,
            tied: graph.held.iter().filter_map(|held| tied(graph, held)).collect(),
            changed: changed.collect(),
            held: held.collect(),
            needs: graph.nodes.iter().rposition(Node::varies),
        }
    }

    fn problem(&self, below: usize, live: &[ValueId]) -> Option<String> {
        // A cut between nodes a and b has a < below <= b.
        let split = |tied: &&Tied| tied.nodes.start < below && below <= tied.nodes.end;
        if let Some(tied) = self.tied.iter().find(split) {
            return Some(format!(
                "`{}` is used on both sides, and one module must have it",
                tied.name
            ));
        }
        let values = &self.graph.values;
        for (index, value) in live.iter().enumerate() {
            let memory = values[*value].memory;
            let other = live[..index].iter().find(|other| values[**other].memory == memory);
            let changed_above = self.changed.get(&memory).is_some_and(|last| *last >= below);
            if let Some(other) = other.filter(|_| changed_above) {
                return Some(format!(
                    "`{}` and `{}` lie in the same memory, which is changed in place above it",
                    values[*other].name, values[*value].name
                ));
            }
            if let Some(held) = self.held.get(&memory) {
                let name = &values[*value].name;
                return Some(format!(
                    "`{name}`, which crosses, lies in the memory of `{held}`, which changes"
                ));
            }
        }
        if self.needs.is_some_and(|last| last >= below) && told(self.graph, live).is_none() {
            return Some(
                "what crosses does not tell how many samples there are, which operators above it need".to_owned(),
            );
        }
        None
    }
}

/// Which of these values, and which of its dimensions, tells the number of samples.
pub(super) fn told(graph: &Graph, live: &[ValueId]) -> Option<(usize, usize)> {
    live.iter().enumerate().find_map(|(index, value)| {
        let shape = graph.values[*value].shape.as_ref()?;
        Some((index, shape.iter().position(super::expression::Expression::tells)?))
    })
}
