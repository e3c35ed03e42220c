//! Makes blocks of runs of nodes.

use super::block::{block, is_kept};
use super::cuts::Place;
use super::graph::{Graph, Node, ValueId};
use super::live::live;
use super::pieces::Piece;
use dtrp_core::torch::{BlockSpec, Join};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// A graph, and what is known of all its nodes.
#[derive(Clone)]
pub(super) struct Maker {
    graph: Arc<Graph>,
    live: Arc<Vec<Vec<ValueId>>>,
    /// Tensors that no node reads, and that are kept with the weights: the first block has them.
    unread: Arc<[usize]>,
}

impl Maker {
    pub(super) fn new(graph: &Arc<Graph>) -> Self {
        let all: HashSet<ValueId> = graph.nodes.iter().flat_map(Node::inputs).collect();
        let is_unread = |index: &usize| {
            let held = &graph.held[*index];
            is_kept(held.role) && !held.values.iter().any(|value| all.contains(value))
        };
        Self {
            graph: Arc::clone(graph),
            live: Arc::new(live(graph)),
            unread: (0..graph.held.len()).filter(is_unread).collect(),
        }
    }

    /// The block of these nodes.
    pub(super) fn block(&self, name: &str, nodes: Range<usize>) -> BlockSpec {
        let more = if nodes.start == 0 { &self.unread[..] } else { &[] };
        let between = [&self.live[nodes.start][..], &self.live[nodes.end][..]];
        block(&self.graph, name, nodes, between, more)
    }

    /// The natural block, which can be cut wherever a module is called or left inside it.
    pub(super) fn divisible(&self, piece: &Piece, places: &[Place]) -> BlockSpec {
        let inside = piece.nodes.start + 1..piece.nodes.end;
        let starts = inside.filter(|below| self.is_border(*below) && places[below - 1].problem.is_none());
        let starts: Vec<usize> = std::iter::once(piece.nodes.start).chain(starts).collect();
        if starts.len() == 1 {
            return self.block(&piece.name, piece.nodes.clone());
        }
        let ends = starts.iter().skip(1).copied().chain([piece.nodes.end]);
        let mut ranges: HashMap<String, Range<usize>> = HashMap::new();
        let mut parts = Vec::new();
        for (start, end) in starts.iter().copied().zip(ends) {
            let mut name = self.part(&piece.name, start);
            let full = |name: &str| {
                if start == piece.nodes.start {
                    piece.name.clone()
                } else {
                    format!("{}/{name}", piece.name)
                }
            };
            if ranges.contains_key(&full(&name)) {
                name.clone_from(&self.graph.nodes[start].name);
            }
            ranges.insert(full(&name), start..end);
            parts.push(self.block(&name, start..end));
        }
        let maker = self.clone();
        let join = Join::new(move |parts: &[BlockSpec]| {
            // By the names that they have been given above.
            let found =
                |part: Option<&BlockSpec>| part.and_then(|part| ranges.get(&part.name)).cloned().unwrap_or(0..0);
            let (first, last) = (found(parts.first()), found(parts.last()));
            maker.block("", first.start..last.end)
        });
        BlockSpec::sequence_by(&piece.name, parts, join)
    }

    /// Whether another module is at work after this place than before it.
    fn is_border(&self, below: usize) -> bool {
        let innermost = |index: usize| self.graph.nodes[index].modules.last().map(|module| &module.path);
        innermost(below - 1) != innermost(below)
    }

    /// What the part that begins with this node is called inside its block: after the module that is called there, else after
    /// the node.
    fn part(&self, block: &str, start: usize) -> String {
        let node = &self.graph.nodes[start];
        let path = node.modules.last().map_or("", |module| module.path.as_str());
        let inner = path.strip_prefix(block).map(|rest| rest.trim_start_matches('.'));
        match inner.unwrap_or(path) {
            "" => node.name.clone(),
            inner => inner.to_owned(),
        }
    }
}
