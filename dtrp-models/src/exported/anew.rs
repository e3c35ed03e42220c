//! How parameters start that are not to start from the file: by what uses them, as PyTorch starts the layer.

use super::expression::Expression;
use super::graph::{Argument, Graph, Held, HeldRole, Node, Source, ValueId};
use dtrp_core::torch::Init;

/// What a node is to the tensors that it is given.
enum Layer {
    /// A convolution or linear layer: uniform in ±1/√fan_in, weight and bias.
    Product,
    /// A normalisation: ones and zeros; statistics of mean 0 and variance 1.
    Norm,
    /// A table of vectors: normal.
    Embedding,
}

fn layer(node: &Node) -> Option<Layer> {
    let name = node.operator.name();
    let name = name.strip_prefix("aten::").unwrap_or(name);
    match name.split('.').next().unwrap_or(name) {
        "linear" | "conv1d" | "conv2d" | "conv3d" | "convolution" | "conv_transpose1d" | "conv_transpose2d"
        | "conv_transpose3d" => Some(Layer::Product),
        "batch_norm"
        | "native_batch_norm"
        | "cudnn_batch_norm"
        | "_native_batch_norm_legit"
        | "_native_batch_norm_legit_functional"
        | "instance_norm"
        | "layer_norm"
        | "native_layer_norm"
        | "group_norm"
        | "native_group_norm" => Some(Layer::Norm),
        "embedding" => Some(Layer::Embedding),
        _ => None,
    }
}

/// The argument of this name.
fn argument<'a>(node: &'a Node, name: &str) -> Option<&'a Argument> {
    let declared = node.operator.signature().arguments.iter();
    let mut pairs = declared.zip(&node.arguments);
    pairs
        .find(|(declared, _)| declared.name == name)
        .map(|(_, given)| given)
}

/// The nodes that are given this tensor, with the name of the argument.
fn uses<'a>(graph: &'a Graph, held: &'a Held) -> impl Iterator<Item = (&'a Node, &'a str)> {
    let is_own = |given: &Argument| matches!(given, Argument::Tensor(value) if held.values.contains(value));
    graph.nodes.iter().flat_map(move |node| {
        let pairs = node.operator.signature().arguments.iter().zip(&node.arguments);
        pairs
            .filter(move |(_, given)| is_own(given))
            .map(move |(declared, _)| (node, declared.name.as_str()))
    })
}

/// How a parameter starts anew; `None` where its use does not tell.
pub(super) fn init(graph: &Graph, held: &Held) -> Option<Init> {
    uses(graph, held).find_map(|(node, name)| match (layer(node)?, name) {
        (Layer::Product, "weight" | "bias") => {
            let Some(Argument::Tensor(weight)) = argument(node, "weight") else {
                return None;
            };
            let Source::Held(weight) = graph.values[*weight].source else {
                return None;
            };
            let fan_in: i64 = graph.held[weight].stored.shape.iter().skip(1).product();
            let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
            Some(Init::Uniform { bound })
        }
        (Layer::Norm, "weight") => Some(Init::Constant(1.0)),
        (Layer::Norm, "bias") => Some(Init::Constant(0.0)),
        (Layer::Embedding, "weight") => Some(Init::Normal { std: 1.0 }),
        _ => None,
    })
}

/// What a buffer starts anew with; `None` where its use does not tell.
pub(super) fn start(graph: &Graph, held: &Held) -> Option<f64> {
    if held.name.ends_with("num_batches_tracked") {
        return Some(0.0);
    }
    uses(graph, held).find_map(|(node, name)| match (layer(node)?, name) {
        (Layer::Norm, "running_mean") => Some(0.0),
        (Layer::Norm, "running_var") => Some(1.0),
        _ => None,
    })
}

/// Gives the network another number of classes: its last operator must be a linear layer, whose weight and bias nothing else
/// uses; they start anew.
pub(super) fn for_classes(graph: &mut Graph, classes: i64) -> Result<(), String> {
    let problem = "its last operator is not a linear layer with a weight of its own";
    let Source::Node(last) = graph.values[graph.output].source else {
        return Err(problem.to_owned());
    };
    let node = &graph.nodes[last];
    if node.operator.name().split('.').next() != Some("aten::linear") {
        return Err(problem.to_owned());
    }
    let own = |name: &str| -> Result<Option<ValueId>, String> {
        match argument(node, name) {
            Some(Argument::Tensor(value)) => Ok(Some(*value)),
            Some(Argument::None | Argument::Default) | None => Ok(None),
            Some(_) => Err(problem.to_owned()),
        }
    };
    let given: Vec<ValueId> = [own("weight")?, own("bias")?].into_iter().flatten().collect();
    let mut changed = Vec::new();
    for value in given {
        let Source::Held(index) = graph.values[value].source else {
            return Err(problem.to_owned());
        };
        let held = &graph.held[index];
        let alone = uses(graph, held).count() == 1 && held.values.len() == 1 && held.also.is_empty();
        if held.role != HeldRole::Parameter || !alone || held.stored.shape.is_empty() {
            return Err(problem.to_owned());
        }
        changed.push((value, index));
    }
    for (value, index) in changed {
        let held = &mut graph.held[index];
        held.stored.shape[0] = classes;
        held.fresh = true;
        let shape = held.stored.shape.iter().map(|side| Expression::Number(*side));
        graph.values[value].shape = Some(shape.collect());
    }
    if let Some(side) = graph.values[graph.output]
        .shape
        .as_mut()
        .and_then(|shape| shape.last_mut())
    {
        *side = Expression::Number(classes);
    }
    Ok(())
}
