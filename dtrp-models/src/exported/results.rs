//! What a network gives, and what buffers become.

use super::graph::ValueId;
use super::reading::{Read, Reader};
use super::schema::{self, OutputSpec};
use super::semantics::{self, Does};
use super::shape_text;

impl Reader<'_> {
    /// The result that is trained.
    pub(super) fn output(&self, chosen: Option<usize>) -> Result<ValueId, String> {
        let mut all = Vec::new();
        for user in self.program.outputs() {
            all.push(match &user.arg {
                schema::Argument::AsTensor(tensor) => Some(self.named(&tensor.name)?),
                _ => None,
            });
        }
        let list = || {
            let told = |(index, value): (usize, &Option<ValueId>)| match value {
                Some(value) => {
                    let value = &self.values[*value];
                    let (name, shape) = (&value.name, value.shape.as_deref().map(shape_text));
                    format!("{index}: `{name}`, {}", shape.unwrap_or_default())
                }
                None => format!("{index}: no tensor"),
            };
            all.iter().enumerate().map(told).collect::<Vec<_>>().join("; ")
        };
        let index = match (chosen, all.len()) {
            (_, 0) => return Err("gives nothing".to_owned()),
            (Some(index), _) => index,
            (None, 1) => 0,
            (None, count) => {
                return Err(format!(
                    "gives {count} tensors: say with `output` which of them are the logits ({})",
                    list()
                ));
            }
        };
        let found = all.get(index).copied().flatten();
        found.ok_or_else(|| format!("has no output {index} that is a tensor: there are {}", list()))
    }

    /// Buffers that take a value at the end of a pass.
    pub(super) fn stores(&self) -> Result<Vec<(ValueId, ValueId)>, String> {
        let mut stores = Vec::new();
        for spec in &self.program.graph_module.signature.output_specs {
            match spec {
                OutputSpec::UserOutput(_) => {}
                OutputSpec::BufferMutation(spec) => {
                    let buffer = self.held.iter().find(|held| held.name == spec.buffer_name);
                    let buffer = buffer.and_then(|held| held.values.first());
                    let buffer =
                        buffer.ok_or_else(|| format!("is damaged: it has no buffer `{}`", spec.buffer_name))?;
                    stores.push((*buffer, self.named(&spec.arg.name)?));
                }
                OutputSpec::Other(other) => {
                    let what = other.as_object().and_then(|object| object.keys().next());
                    return Err(format!(
                        "gives or changes more than logits and buffers (`{}`): its loss is computed here, and only buffers may \
                         change in a pass",
                        what.map_or("unknown", String::as_str)
                    ));
                }
            }
        }
        Ok(stores)
    }

    /// Finds the divisions that belong to draws; a draw without one is a problem.
    pub(super) fn scalings(&self, nodes: &mut [Read]) {
        for index in 0..nodes.len() {
            let Read::Node(node) = &nodes[index] else { continue };
            let (Does::Survive(keep), Some(drawn)) = (&node.does, node.results().next()) else {
                continue;
            };
            let keep = *keep;
            let (place, results) = (node.place(), node.results().collect());
            let scaling = nodes[index + 1..].iter_mut().find_map(|node| match node {
                Read::Node(node) if node.inputs().any(|value| value == drawn) => Some(node),
                _ => None,
            });
            match scaling {
                Some(node) if semantics::is_scaling(&node.operator, &node.arguments, drawn, keep) => {
                    node.does = Does::Scale;
                }
                _ if keep == 1.0 => {}
                _ => {
                    let problem = format!(
                        "cannot be used: {place}: it draws random numbers, and is not followed by the division by {keep} of \
                         stochastic depth, so that nobody knows what evaluation would do"
                    );
                    nodes[index] = Read::Problem { results, problem };
                }
            }
        }
    }
}
