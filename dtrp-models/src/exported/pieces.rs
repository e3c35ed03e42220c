//! The natural blocks of a network: those that its author made.

use super::block;
use super::cuts::Place;
use super::graph::{Called, Graph, HeldRole, Node, Source};
use dtrp_core::torch::Role;
use std::collections::HashSet;
use std::ops::Range;

/// A natural block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) name: String,
    pub(super) nodes: Range<usize>,
    /// Whether it is a module with an inner life, such as a residual block: it stays whole.
    heavy: bool,
    /// Whether it has a weight of a layer, not only of norms.
    weighty: bool,
}

/// The natural blocks, in order: modules whose inside is no plain sequence, and runs of layers beside them, each with one layer
/// that has weights. Only places where one tensor crosses are between two of them.
pub(super) fn pieces(graph: &Graph, places: &[Place]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    split(graph, places, 0..graph.nodes.len(), 0, "", &mut pieces);
    let mut joined: Vec<Piece> = Vec::new();
    // A run that may still grow: layers without weights go to the layer before them, those after a heavy block to the one after.
    for piece in pieces {
        let open = |before: &Piece| !(before.heavy || piece.heavy || piece.weighty && before.weighty);
        match joined.last_mut() {
            Some(before) if open(before) || !possible(places, piece.nodes.start) => before.join(piece),
            _ => joined.push(piece),
        }
    }
    // What stands between two heavy blocks and has no weights goes to the first of them.
    let mut blocks: Vec<Piece> = Vec::new();
    let count = joined.len();
    for (index, piece) in joined.into_iter().enumerate() {
        let light = !piece.heavy && !piece.weighty;
        match blocks.last_mut() {
            Some(before) if light && index + 1 < count => before.join(piece),
            _ => blocks.push(piece),
        }
    }
    name(&mut blocks);
    blocks
}

impl Piece {
    fn join(&mut self, other: Self) {
        self.nodes.end = other.nodes.end;
        if other.weighty && !self.weighty && !self.heavy {
            self.name = other.name;
        }
        self.weighty |= other.weighty;
        self.heavy |= other.heavy;
    }
}

/// Two blocks of one name get numbers.
fn name(blocks: &mut [Piece]) {
    let mut taken = HashSet::new();
    for block in blocks {
        let mut name = block.name.clone();
        for number in 2.. {
            if taken.insert(name.clone()) {
                break;
            }
            name = format!("{}@{number}", block.name);
        }
        block.name = name;
    }
}

/// Whether a cut is possible before this node, and one tensor crosses it.
fn possible(places: &[Place], below: usize) -> bool {
    let place = below.checked_sub(1).and_then(|index| places.get(index));
    place.is_some_and(|place| place.problem.is_none() && place.crossing.len() == 1)
}

/// Consecutive nodes of one module at this depth, or of none.
fn groups(graph: &Graph, nodes: Range<usize>, depth: usize) -> Vec<(Option<&Called>, Range<usize>)> {
    let mut groups: Vec<(Option<&Called>, Range<usize>)> = Vec::new();
    for index in nodes {
        let module = graph.nodes[index].modules.get(depth);
        match groups.last_mut() {
            Some((before, range)) if before.map(|m| &m.path) == module.map(|m| &m.path) => range.end = index + 1,
            _ => groups.push((module, index..index + 1)),
        }
    }
    groups
}

fn split(graph: &Graph, places: &[Place], nodes: Range<usize>, depth: usize, path: &str, pieces: &mut Vec<Piece>) {
    for (module, range) in groups(graph, nodes, depth) {
        let Some(module) = module else {
            // Layers that are written out in `forward` begin at their weights.
            let mut start = range.start;
            for index in range
                .clone()
                .skip(1)
                .filter(|index| has_weight(graph, &graph.nodes[*index]))
            {
                if possible(places, index) {
                    pieces.push(light(graph, path, start..index));
                    start = index;
                }
            }
            pieces.push(light(graph, path, start..range.end));
            continue;
        };
        let inside = Inside::of(graph, places, range.clone(), depth + 1);
        if !inside.leaf && inside.chain && (inside.is_repeated() || is_sequence(module)) {
            split(graph, places, range, depth + 1, &module.path, pieces);
        } else if inside.leaf || (inside.chain && inside.simple) {
            pieces.push(light(graph, &module.path, range));
        } else {
            pieces.push(Piece {
                heavy: true,
                ..light(graph, &module.path, range)
            });
        }
    }
}

fn light(graph: &Graph, name: &str, nodes: Range<usize>) -> Piece {
    let weighty = graph.nodes[nodes.clone()].iter().any(|node| has_weight(graph, node));
    let name = if name.is_empty() {
        graph.nodes[nodes.start].name.clone()
    } else {
        name.to_owned()
    };
    Piece {
        name,
        nodes,
        heavy: false,
        weighty,
    }
}

fn has_weight(graph: &Graph, node: &Node) -> bool {
    node.inputs().any(|value| match graph.values[value].source {
        Source::Held(index) => {
            let held = &graph.held[index];
            held.role == HeldRole::Parameter && block::role(&held.name, &held.stored.shape) == Role::Weight
        }
        _ => false,
    })
}

/// PyTorch's own container, which is nothing but its parts.
fn is_sequence(module: &Called) -> bool {
    module.class.ends_with("container.Sequential")
}

/// What a module consists of.
struct Inside {
    /// It calls no modules.
    leaf: bool,
    /// One tensor goes from each part to the next.
    chain: bool,
    /// Its parts call no modules.
    simple: bool,
    /// How many parts are heavy.
    heavy: usize,
    /// It, or a part of it, has at least two heavy parts in a chain.
    nested: bool,
}

impl Inside {
    fn of(graph: &Graph, places: &[Place], nodes: Range<usize>, depth: usize) -> Self {
        let groups = groups(graph, nodes.clone(), depth);
        let leaf = groups.iter().all(|(module, _)| module.is_none());
        let chain = groups.iter().skip(1).all(|(_, range)| possible(places, range.start));
        let parts: Vec<Self> = groups
            .iter()
            .filter(|(module, _)| module.is_some())
            .map(|(_, range)| Self::of(graph, places, range.clone(), depth + 1))
            .collect();
        Self {
            leaf,
            chain,
            simple: parts.iter().all(|part| part.leaf),
            heavy: parts.iter().filter(|part| part.is_heavy()).count(),
            nested: chain && parts.iter().any(Self::is_repeated),
        }
    }

    fn is_heavy(&self) -> bool {
        !(self.leaf || self.chain && self.simple)
    }

    fn is_repeated(&self) -> bool {
        self.chain && (self.heavy >= 2 || self.nested)
    }
}
