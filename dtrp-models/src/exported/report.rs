//! What a node costs, told to whoever describes a network.

use super::graph::{Argument, Graph, Node, ValueId};
use super::semantics::Does;
use crate::layers::tally;
use std::collections::HashMap;
use tch::Tensor;

/// Bytes of one of the indices that libtorch keeps of where each maximum was found.
const INDEX_BYTES: u64 = 8;

/// Tells what a node has cost, as the layers of the zoo do.
pub(super) fn tell(node: &Node, graph: &Graph, tensors: &HashMap<ValueId, Tensor>) {
    if !tally::is_heard() {
        return;
    }
    let inputs: Vec<&Tensor> = node.inputs().filter_map(|value| tensors.get(&value)).collect();
    let Some(output) = node.results().next().and_then(|value| tensors.get(&value)) else {
        return;
    };
    let name = node
        .operator
        .name()
        .trim_start_matches("aten::")
        .split('.')
        .next()
        .unwrap_or_default();
    let numel = |tensor: &Tensor| tensor.numel() as u64;
    match (name.trim_end_matches('_'), &inputs[..]) {
        ("conv1d" | "conv2d" | "conv3d" | "convolution", [x, weight, ..]) => {
            let sum: i64 = weight.size()[1..].iter().product();
            tally::multiply_adds(numel(output) * sum as u64);
            tally::keeps(x);
        }
        ("linear", [x, weight, ..]) => {
            tally::multiply_adds(numel(x) * weight.size()[0].max(1) as u64);
            tally::keeps(x);
        }
        ("matmul" | "mm" | "bmm", [a, b]) => {
            let shared = a.size().last().copied().unwrap_or(1).max(1);
            tally::multiply_adds(numel(output) * shared as u64);
            tally::keeps(a);
            tally::keeps(b);
        }
        ("scaled_dot_product_attention", [query, key, value, ..]) => {
            let length = key.size().iter().rev().nth(1).copied().unwrap_or(1).max(1) as u64;
            tally::multiply_adds(numel(query) * length + numel(output) * length);
            [query, key, value, &output]
                .into_iter()
                .for_each(|tensor| tally::keeps(tensor));
        }
        ("max_pool2d", [x, ..]) => {
            tally::keeps(x);
            tally::keeps_bytes(numel(output) * INDEX_BYTES);
        }
        ("relu" | "sigmoid" | "tanh" | "softmax" | "log_softmax", _) => tally::keeps(output),
        // In place they keep a copy.
        ("silu" | "hardswish" | "mish", [x, ..]) if name.ends_with('_') => {
            tally::keeps_bytes(numel(x) * x.kind().elt_size_in_bytes() as u64);
        }
        ("mul", [a, b]) => {
            tally::keeps(a);
            tally::keeps(b);
        }
        (
            "layer_norm" | "group_norm" | "gelu" | "silu" | "hardtanh" | "hardswish" | "hardsigmoid" | "leaky_relu"
            | "elu" | "mish" | "avg_pool2d" | "pow" | "rsqrt",
            [x, ..],
        ) => tally::keeps(x),
        ("adaptive_avg_pool2d", [x, ..]) if output.size()[2..] != [1, 1] => tally::keeps(x),
        _ => {}
    }
    if let (Does::Normalise(_), [x, ..]) = (&node.does, &inputs[..]) {
        tally::keeps(x);
        tally::normalises(&parameter(node, graph), x);
    }
}

/// The name of a normalisation's parameter, or of its module where it has none.
fn parameter(node: &Node, graph: &Graph) -> String {
    let declared = &node.operator.signature().arguments;
    let weight = declared
        .iter()
        .zip(&node.arguments)
        .find(|(declared, _)| declared.name == "weight");
    if let Some((_, Argument::Tensor(value))) = weight
        && let Some(held) = graph.held.iter().find(|held| held.values.contains(value))
    {
        return held.name.clone();
    }
    node.modules
        .last()
        .map_or_else(|| node.name.clone(), |module| format!("{}.weight", module.path))
}
