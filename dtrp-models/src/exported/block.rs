//! The block that runs a part of a graph.

use super::anew;
use super::cuts::told;
use super::expression::Expression;
use super::graph::{Argument, Graph, HeldRole, Node, Output, Source, ValueId};
use super::perform::{copy, message, perform};
use super::report;
use dtrp_core::torch::{
    BlockSpec, BufferId, Init, Keep, ListBlock, Mode, ParamId, Pass, Returned, Role, Start, Value, Vars,
};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use tch::{TchError, Tensor};

/// A run of consecutive nodes.
struct Run {
    graph: Arc<Graph>,
    nodes: Range<usize>,
    inputs: Vec<ValueId>,
    outputs: Vec<ValueId>,
    params: Vec<(ValueId, ParamId)>,
    buffers: Vec<(ValueId, BufferId)>,
    /// Inputs that a node changes in place: another pass needs them as they are, so they are copied first.
    copied: HashSet<ValueId>,
    /// For each node the values that nobody reads after it.
    done: Vec<Vec<ValueId>>,
    /// Buffers that take a value at the end of a pass in training.
    stores: Vec<(BufferId, ValueId)>,
    /// The input, its dimension and the formula that tell the number of samples.
    batch: Option<(usize, usize, Expression)>,
}

/// The block that runs these nodes. `inputs` and `outputs` live before and after them. `more` are tensors that no node reads, and
/// that are kept with the weights.
pub(super) fn block(
    graph: &Arc<Graph>,
    name: &str,
    nodes: Range<usize>,
    [inputs, outputs]: [&[ValueId]; 2],
    more: &[usize],
) -> BlockSpec {
    let mut spec = BlockSpec::build(name, |scope| {
        let part = &graph.nodes[nodes.clone()];
        let read: HashSet<ValueId> = part.iter().flat_map(Node::inputs).collect();
        let stored: Vec<(ValueId, ValueId)> = graph
            .stores
            .iter()
            .copied()
            .filter(|(buffer, value)| match graph.values[*value].source {
                Source::Node(node) => nodes.contains(&node),
                _ => read.contains(buffer),
            })
            .collect();
        let (mut params, mut buffers) = (Vec::new(), Vec::new());
        for (index, held) in graph.held.iter().enumerate() {
            let here: Vec<ValueId> = held
                .values
                .iter()
                .copied()
                .filter(|value| read.contains(value) || stored.iter().any(|(buffer, _)| buffer == value))
                .collect();
            if here.is_empty() && !more.contains(&index) {
                continue;
            }
            let (shape, given) = (&held.stored.shape, held.stored.given.clone());
            match held.role {
                HeldRole::Parameter => {
                    let start = match anew::init(graph, held) {
                        Some(init) if held.fresh => init,
                        _ => Init::Given(given),
                    };
                    let role = role(&held.name, shape);
                    let id = scope.tied_param(&held.name, held.also.clone(), shape, role, start);
                    params.extend(here.iter().map(|value| (*value, id)));
                }
                HeldRole::Buffer(keep) => {
                    let id = scope.given_buffer(&held.name, shape, Start::Given(given), keep);
                    buffers.extend(here.iter().map(|value| (*value, id)));
                }
            }
        }
        let changed: HashSet<usize> = part
            .iter()
            .flat_map(Node::changed)
            .map(|value| graph.values[value].memory)
            .collect();
        let buffer = |value: ValueId| buffers.iter().find(|(own, _)| *own == value).map(|(_, id)| *id);
        Run {
            graph: Arc::clone(graph),
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            copied: inputs
                .iter()
                .copied()
                .filter(|value| changed.contains(&graph.values[*value].memory))
                .collect(),
            done: done(graph, &nodes, outputs, &stored),
            stores: stored
                .iter()
                .filter_map(|(own, value)| Some((buffer(*own)?, *value)))
                .collect(),
            batch: told(graph, inputs).and_then(|(index, side)| {
                let shape = graph.values[inputs[index]].shape.as_ref()?;
                Some((index, side, shape[side].clone()))
            }),
            params,
            buffers,
            nodes,
        }
    });
    let held = |name: &str| graph.held.iter().find(|held| held.name == name);
    for param in &mut spec.params {
        param.anew = held(&param.name).and_then(|held| anew::init(graph, held));
    }
    for buffer in &mut spec.buffers {
        buffer.anew = held(&buffer.name).and_then(|held| anew::start(graph, held));
    }
    spec
}

/// Weight decay is for the weights of layers: not for biases, norms, tokens and tables of positions.
pub(super) fn role(name: &str, shape: &[i64]) -> Role {
    let last = name.rsplit('.').next().unwrap_or(name);
    if shape.len() >= 2 && last.contains("weight") {
        Role::Weight
    } else {
        Role::BiasOrNorm
    }
}

fn done(graph: &Graph, nodes: &Range<usize>, outputs: &[ValueId], stored: &[(ValueId, ValueId)]) -> Vec<Vec<ValueId>> {
    let mut last: HashMap<ValueId, usize> = HashMap::new();
    for (index, node) in graph.nodes[nodes.clone()].iter().enumerate() {
        last.extend(node.inputs().chain(node.results()).map(|value| (value, index)));
    }
    let mut done = vec![Vec::new(); nodes.len()];
    for (value, index) in last {
        if !outputs.contains(&value) && !stored.iter().any(|(_, stored)| *stored == value) {
            done[index].push(value);
        }
    }
    done
}

/// The tensors that live in a pass.
type Tensors = HashMap<ValueId, Tensor>;

impl ListBlock for Run {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        if inputs.len() != self.inputs.len() {
            let (needed, found) = (self.inputs.len(), inputs.len());
            return Err(TchError::Torch(format!(
                "the block takes {needed} tensors, but {found} come from the block before it"
            )));
        }
        let batch = self.batch(inputs)?;
        let mut tensors = Tensors::new();
        for (value, input) in self.inputs.iter().zip(inputs) {
            let input = if self.copied.contains(value) {
                copy(input)?
            } else {
                input.shallow_clone()
            };
            tensors.insert(*value, input);
        }
        tensors.extend(
            self.params
                .iter()
                .map(|(value, id)| (*value, vars[*id].shallow_clone())),
        );
        tensors.extend(
            self.buffers
                .iter()
                .map(|(value, id)| (*value, vars[*id].shallow_clone())),
        );
        for (node, done) in self.graph.nodes[self.nodes.clone()].iter().zip(&self.done) {
            // What buffers become is decided once for each batch, and not differentiated.
            if node.aside && pass.mode != Mode::Train {
                // Nobody reads what it makes.
            } else if node.aside || node.quiet {
                tch::no_grad(|| self.run(node, &mut tensors, batch, vars, pass))?;
            } else {
                self.run(node, &mut tensors, batch, vars, pass)?;
            }
            for value in done {
                tensors.remove(value);
            }
        }
        if pass.mode == Mode::Train {
            tch::no_grad(|| {
                let stores = self.stores.iter();
                stores
                    .filter_map(|(id, value)| Some((&vars[*id], tensors.get(value)?)))
                    .try_for_each(|(buffer, value)| {
                        buffer.shallow_clone().f_copy_(value)?;
                        Ok::<_, TchError>(())
                    })
            })?;
        }
        let output = |value: &ValueId| {
            tensors
                .get(value)
                .map(Tensor::shallow_clone)
                .ok_or_else(|| TchError::Torch(format!("nothing has made `{}`", self.graph.values[*value].name)))
        };
        self.outputs.iter().map(output).collect()
    }
}

impl Run {
    /// The number of samples, if something depends on it.
    fn batch(&self, inputs: &[Tensor]) -> Result<i64, TchError> {
        let Some((index, side, size)) = &self.batch else {
            return Ok(0);
        };
        let found = inputs[*index].size().get(*side).copied();
        let batch = found.and_then(|found| size.solve(found)).ok_or_else(|| {
            let (name, shape) = (&self.graph.values[self.inputs[*index]].name, inputs[*index].size());
            TchError::Torch(format!("`{name}` has shape {shape:?}, which fits no number of samples"))
        })?;
        match self.graph.most {
            Some(most) if batch > most => Err(TchError::Torch(format!(
                "the batch has {batch} samples, and the network was exported for at most {most}: take smaller batches, or export \
                 it with a `Dim` without `max`"
            ))),
            _ => Ok(batch),
        }
    }

    fn run(
        &self,
        node: &Node,
        tensors: &mut Tensors,
        batch: i64,
        vars: &Vars<'_>,
        pass: &Pass,
    ) -> Result<(), TchError> {
        let failed = |message: String| TchError::Torch(format!("{}: {message}", node.place()));
        let sizes: Vec<Vec<i64>> = node
            .arguments
            .iter()
            .map(|argument| {
                let sizes: &[Expression] = match argument {
                    Argument::Size(size) => std::slice::from_ref(size),
                    Argument::Sizes(sizes) => sizes,
                    _ => &[],
                };
                let sizes = sizes.iter().map(|size| size.at(batch));
                sizes
                    .collect::<Option<_>>()
                    .ok_or_else(|| failed(format!("a size has no value for {batch} samples")))
            })
            .collect::<Result<_, _>>()?;
        let outputs = {
            let tensor = |value: ValueId| {
                let name = &self.graph.values[value].name;
                tensors
                    .get(&value)
                    .ok_or_else(|| failed(format!("nothing has made `{name}`")))
            };
            let values = node.arguments.iter().zip(&sizes).map(|(argument, sizes)| {
                Ok(match argument {
                    Argument::Default => Value::Default,
                    Argument::None => Value::None,
                    Argument::Tensor(value) => Value::Tensor(tensor(*value)?),
                    Argument::Tensors(values) => {
                        let tensors = values.iter().map(|value| value.map(tensor).transpose());
                        Value::Tensors(tensors.collect::<Result<_, TchError>>()?)
                    }
                    Argument::Int(number) => Value::Int(*number),
                    Argument::Ints(numbers) => Value::Ints(numbers),
                    Argument::Size(_) => Value::Int(sizes[0]),
                    Argument::Sizes(_) => Value::Ints(sizes),
                    Argument::Float(number) => Value::Float(*number),
                    Argument::Floats(numbers) => Value::Floats(numbers),
                    Argument::Bool(value) => Value::Bool(*value),
                    Argument::Bools(values) => Value::Bools(values),
                    Argument::Text(text) => Value::Text(text),
                    Argument::Kind(kind) => {
                        let kind = if *kind == self.graph.kind {
                            vars.options().0
                        } else {
                            *kind
                        };
                        Value::Kind(kind)
                    }
                    Argument::Device => Value::Device(vars.options().1),
                })
            });
            let values = values.collect::<Result<Vec<_>, TchError>>()?;
            perform(node, values, pass).map_err(|error| failed(message(&error)))?
        };
        for (output, returned) in node.outputs.iter().zip(outputs) {
            match (output, returned) {
                (Output::Tensor(value), Returned::Tensor(tensor)) => {
                    tensors.insert(*value, tensor);
                }
                (Output::Tensors(values), Returned::Tensors(several)) if values.len() == several.len() => {
                    let pairs = values.iter().zip(several);
                    tensors.extend(pairs.filter_map(|(value, tensor)| Some((*value, tensor?))));
                }
                (Output::Unread, _) => {}
                (_, other) => return Err(failed(format!("it has returned {other:?}, which was not expected"))),
            }
        }
        report::tell(node, &self.graph, tensors);
        Ok(())
    }
}

/// Whether a buffer is kept in files of weights.
pub(super) fn is_kept(role: HeldRole) -> bool {
    matches!(role, HeldRole::Parameter | HeldRole::Buffer(Keep::Weights))
}
