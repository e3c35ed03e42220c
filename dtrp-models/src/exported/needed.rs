//! Which nodes matter: those that the output depends on, and those that buffers do. And which values share memory.

use super::graph::{Graph, HeldRole, Node, Source, ValueId};
use super::reading::Read;
use super::semantics;
use dtrp_core::torch::Keep;
use std::collections::HashSet;

/// Puts the nodes that matter into the graph. `whole`: the output is all that the network gives, so that what changes buffers
/// matters wherever it stands; else it does in the modules that the output depends on.
pub(super) fn keep(mut graph: Graph, nodes: Vec<Read>, whole: bool) -> Result<Graph, String> {
    memories(&mut graph, &nodes);
    let to_output = reaching(&graph, &nodes, [graph.output].into(), false);
    check_parameters(&graph, &nodes, &to_output)?;
    let changing: HashSet<usize> = changing(&graph, &nodes);
    // What the values that buffers take depend on, and the operators that change them in place.
    let inner: HashSet<&str> = nodes
        .iter()
        .zip(&to_output)
        .filter_map(|(node, needed)| match node {
            Read::Node(node) if *needed => node.modules.last().map(|module| module.path.as_str()),
            _ => None,
        })
        .collect();
    let here = |node: &Node| {
        whole
            || node
                .modules
                .last()
                .is_some_and(|module| inner.contains(module.path.as_str()))
    };
    let mut roots: HashSet<ValueId> = HashSet::new();
    for node in &nodes {
        if let Read::Node(node) = node
            && here(node)
            && node
                .changed()
                .any(|value| changing.contains(&graph.values[value].memory))
        {
            roots.extend(node.results());
        }
    }
    let maker = |value: ValueId| match graph.values[value].source {
        Source::Node(number) => match &nodes[number] {
            Read::Node(node) => here(node),
            Read::Problem { .. } => true,
        },
        _ => true,
    };
    graph.stores.retain(|(_, value)| whole || maker(*value));
    roots.extend(graph.stores.iter().map(|(_, value)| *value));
    let to_buffers = reaching(&graph, &nodes, roots, true);
    let mut places = vec![usize::MAX; nodes.len()];
    for (number, node) in nodes.into_iter().enumerate() {
        match node {
            // What cannot be used might change a buffer, unless it is beside what is trained.
            Read::Problem { problem, .. }
                if problem.is_empty() || !(whole || to_output[number] || to_buffers[number]) => {}
            Read::Node(_) if !to_output[number] && !to_buffers[number] => {}
            Read::Problem { problem, .. } => return Err(problem),
            Read::Node(mut node) => {
                node.aside = !to_output[number];
                places[number] = graph.nodes.len();
                graph.nodes.push(*node);
            }
        }
    }
    for value in &mut graph.values {
        if let Source::Node(number) = &mut value.source {
            *number = places[*number];
        }
    }
    mark_changing(&mut graph, &changing);
    leave_unread(&mut graph);
    untainted(&graph)?;
    Ok(graph)
}

/// Gives values that may share memory one number.
fn memories(graph: &mut Graph, nodes: &[Read]) {
    let mut parent: Vec<usize> = (0..graph.values.len()).collect();
    for held in &graph.held {
        for pair in held.values.windows(2) {
            join(&mut parent, pair[0], pair[1]);
        }
    }
    for node in nodes {
        let Read::Node(node) = node else { continue };
        let signature = node.operator.signature();
        let any = semantics::may_share(&node.operator, &node.does);
        for (output, result) in node.outputs.iter().zip(&signature.results) {
            for (argument, declared) in node.arguments.iter().zip(&signature.arguments) {
                if any || result.may_share(declared) {
                    for value in argument.tensors() {
                        for made in output.tensors() {
                            join(&mut parent, made, value);
                        }
                    }
                }
            }
        }
    }
    for id in 0..parent.len() {
        graph.values[id].memory = root(&mut parent, id);
    }
}

fn root(parent: &mut [usize], mut id: usize) -> usize {
    while parent[id] != id {
        parent[id] = parent[parent[id]];
        id = parent[id];
    }
    id
}

fn join(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b)] = a.min(b);
}

/// Which nodes something depends on: those that make it, and those that change what it depends on in place.
fn reaching(graph: &Graph, nodes: &[Read], wanted: HashSet<ValueId>, statistics: bool) -> Vec<bool> {
    let memory = |value: ValueId| graph.values[value].memory;
    let buffers = buffer_memories(graph);
    let mut memories: HashSet<usize> = wanted.iter().map(|value| memory(*value)).collect();
    let mut wanted = wanted;
    let mut reached = vec![false; nodes.len()];
    for (number, node) in nodes.iter().enumerate().rev() {
        let node = match node {
            Read::Node(node) => node,
            Read::Problem { results, .. } => {
                reached[number] = results.iter().any(|value| wanted.contains(value));
                continue;
            }
        };
        let makes = node.results().any(|value| wanted.contains(&value));
        // The running statistics are changed, but nothing that is read here depends on it.
        let changes = node
            .changed()
            .any(|value| memories.contains(&memory(value)) && !buffers.contains(&memory(value)));
        if !makes && !changes {
            continue;
        }
        reached[number] = true;
        for (index, argument) in node.arguments.iter().enumerate() {
            if statistics || !node.does.unread().contains(&index) {
                memories.extend(argument.tensors().map(memory));
                wanted.extend(argument.tensors());
            }
        }
    }
    reached
}

fn buffer_memories(graph: &Graph) -> HashSet<usize> {
    let buffers = graph
        .held
        .iter()
        .filter(|held| matches!(held.role, HeldRole::Buffer(_)));
    buffers.flat_map(|held| graph.memories_of(held)).collect()
}

/// The memories of buffers that a pass changes.
fn changing(graph: &Graph, nodes: &[Read]) -> HashSet<usize> {
    let buffers = buffer_memories(graph);
    let in_place = nodes.iter().flat_map(|node| match node {
        Read::Node(node) => node.changed().collect(),
        Read::Problem { .. } => Vec::new(),
    });
    let stored = graph.stores.iter().map(|(buffer, _)| *buffer);
    let memories = in_place.chain(stored).map(|value| graph.values[value].memory);
    memories.filter(|memory| buffers.contains(memory)).collect()
}

/// No parameter, and nothing that lies in its memory, may be changed by a pass.
fn check_parameters(graph: &Graph, nodes: &[Read], needed: &[bool]) -> Result<(), String> {
    let parameters = graph.held.iter().filter(|held| held.role == HeldRole::Parameter);
    let memories: HashSet<usize> = parameters.flat_map(|held| graph.memories_of(held)).collect();
    for (node, _) in nodes.iter().zip(needed) {
        if let Read::Node(node) = node
            && node
                .changed()
                .any(|value| memories.contains(&graph.values[value].memory))
        {
            return Err(format!(
                "cannot be used: {} changes a parameter in place, which only the optimizer may",
                node.place()
            ));
        }
    }
    Ok(())
}

/// A parameter that nothing reads has no gradient: it is kept with the weights as it is.
fn leave_unread(graph: &mut Graph) {
    let read: HashSet<ValueId> = graph.nodes.iter().flat_map(Node::inputs).collect();
    for held in &mut graph.held {
        if held.role == HeldRole::Parameter && !held.values.iter().any(|value| read.contains(value)) {
            held.role = HeldRole::Buffer(Keep::Weights);
        }
    }
}

fn mark_changing(graph: &mut Graph, changing: &HashSet<usize>) {
    for index in 0..graph.held.len() {
        let memories = graph.memories_of(&graph.held[index]);
        let used = graph
            .nodes
            .iter()
            .flat_map(Node::changed)
            .any(|value| memories.contains(&graph.values[value].memory))
            || graph
                .stores
                .iter()
                .any(|(buffer, _)| graph.held[index].values.contains(buffer));
        let held = &mut graph.held[index];
        held.changes = used && memories.iter().any(|memory| changing.contains(memory));
        if held.changes && held.role == HeldRole::Buffer(Keep::Nothing) {
            held.role = HeldRole::Buffer(Keep::Run);
        }
    }
}

/// What the output is computed from must be the same when a pass is repeated, so it must not depend on a buffer that changes.
fn untainted(graph: &Graph) -> Result<(), String> {
    for held in graph.held.iter().filter(|held| held.changes) {
        let mut tainted: HashSet<ValueId> = held.values.iter().copied().collect();
        for node in &graph.nodes {
            let mut read = node.arguments.iter().enumerate();
            let reads = read.any(|(index, argument)| {
                !node.does.unread().contains(&index) && argument.tensors().any(|value| tainted.contains(&value))
            });
            if !reads {
                continue;
            }
            if !node.aside {
                return Err(format!(
                    "cannot be used: {} reads the buffer `{}`, which the network changes in every pass: its second forward of a \
                     batch would differ from the first",
                    node.place(),
                    held.name
                ));
            }
            tainted.extend(node.results());
        }
    }
    Ok(())
}
