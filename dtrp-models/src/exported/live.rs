//! What lives between nodes.

use super::graph::{Graph, Source, ValueId};
use std::collections::HashMap;

/// The values that live at each place: before the first node, between two, after the last. Each is made before and read after
/// it; parameters, buffers and constants are everywhere and not among them.
pub(super) fn live(graph: &Graph) -> Vec<Vec<ValueId>> {
    let count = graph.nodes.len();
    let mut made: HashMap<ValueId, usize> = HashMap::from([(graph.input, 0)]);
    let mut read: HashMap<ValueId, usize> = HashMap::from([(graph.output, count)]);
    for (index, node) in graph.nodes.iter().enumerate() {
        for value in node.inputs() {
            let last = read.entry(value).or_default();
            *last = (*last).max(index);
        }
        made.extend(node.results().map(|value| (value, index + 1)));
    }
    let mut live = vec![Vec::new(); count + 1];
    let mut order: Vec<(usize, ValueId)> = made.into_iter().map(|(value, from)| (from, value)).collect();
    order.sort_unstable();
    for (from, value) in order {
        let last = match graph.values[value].source {
            Source::Held(_) => None,
            _ => read.get(&value),
        };
        let until = last.copied().unwrap_or(0);
        live.iter_mut()
            .take(until + 1)
            .skip(from)
            .for_each(|values| values.push(value));
    }
    live
}
