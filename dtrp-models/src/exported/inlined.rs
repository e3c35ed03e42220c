//! Parts of a graph that the file has as graphs of their own, because gradients are off in them (`torch.no_grad()`): they are put
//! in their place.

use super::schema::{Graph, Node, read_value};
use serde_json::Value;
use std::collections::HashMap;

const NO_GRAD: &str = "torch.ops.higher_order.wrap_with_set_grad_enabled";

/// No network has them inside one another so deep.
const DEEPEST: usize = 16;

/// Puts the nodes of every such part in the place of its call.
pub(super) fn inline(graph: &mut Graph, depth: usize) -> Result<(), String> {
    if depth > DEEPEST {
        return Err("is damaged: graphs in it are nested too deep".to_owned());
    }
    for node in std::mem::take(&mut graph.nodes) {
        if node.target == NO_GRAD {
            part(graph, &node, depth)
                .map_err(|problem| format!("is damaged: the graph of `{}` {problem}", called(&node)))?;
        } else {
            graph.nodes.push(node);
        }
    }
    Ok(())
}

fn called(node: &Node) -> &str {
    node.name.as_deref().unwrap_or(&node.target)
}

fn part(outer: &mut Graph, node: &Node, depth: usize) -> Result<(), String> {
    let [enabled, inner, given @ ..] = &node.inputs[..] else {
        return Err("is not there".to_owned());
    };
    let quiet = enabled.arg["as_bool"] == false;
    let mut inner: Graph = read_value(&inner.arg["as_graph"]["graph"])?;
    inline(&mut inner, depth + 1)?;
    // Its inputs and outputs have names of the outer graph; what is inside gets names that nothing else has.
    let given = given.iter().map(|argument| &argument.arg);
    let pairs = inner
        .inputs
        .iter()
        .zip(given)
        .chain(inner.outputs.iter().zip(&node.outputs));
    let mut names: HashMap<String, String> = HashMap::new();
    for (own, other) in pairs {
        if let (Some(own), Some(other)) = (name(own), name(other)) {
            if names.get(own).is_some_and(|before| before != other) {
                return Err(format!("gives `{own}` twice, or as it was given"));
            }
            names.insert(own.to_owned(), other.to_owned());
        }
    }
    let renamed = |own: &str| {
        names
            .get(own)
            .cloned()
            .unwrap_or_else(|| format!("{}/{own}", called(node)))
    };
    for (own, meta) in inner.tensor_values {
        outer.tensor_values.entry(renamed(&own)).or_insert(meta);
    }
    for (own, size) in inner.sym_int_values {
        outer.sym_int_values.entry(renamed(&own)).or_insert(size);
    }
    for mut part in inner.nodes {
        part.quiet |= quiet;
        part.inputs
            .iter_mut()
            .for_each(|input| rename(&mut input.arg, &renamed));
        part.outputs.iter_mut().for_each(|output| rename(output, &renamed));
        outer.nodes.push(part);
    }
    Ok(())
}

/// The name of a tensor or a size.
fn name(argument: &Value) -> Option<&str> {
    let tensor = argument["as_tensor"]["name"].as_str();
    tensor.or_else(|| argument["as_sym_int"]["as_name"].as_str())
}

/// Gives every tensor and size in it its new name.
fn rename(argument: &mut Value, renamed: &dyn Fn(&str) -> String) {
    match argument {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(name) if key == "name" || key == "as_name" => *name = renamed(name),
                    other => rename(other, renamed),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, renamed)),
        _ => {}
    }
}
