//! From what an archive says to the graph.

use super::expression::Expression;
use super::graph::{Graph, Held, HeldRole, Node, Output, Source, Value, ValueId, place};
use super::origin::{line, modules};
use super::schema::{self, InputSpec, OutputSpec, Program, SymInt, TensorMeta};
use super::semantics::{self, ExportedFor};
use super::stored::{self, Stored};
use super::{archive::EXPORT, needed};
use dtrp_core::torch::Keep;
use std::collections::{BTreeMap, HashMap};
use tch::Kind;

/// Makes the graph of a program. `output` picks one of several results.
pub(super) fn graph(
    program: &Program,
    weights: &BTreeMap<String, Stored>,
    constants: &BTreeMap<String, Stored>,
    output: Option<usize>,
) -> Result<Graph, String> {
    let mut reader = Reader::new(program, weights, constants)?;
    let mut nodes = Vec::new();
    for (number, node) in program.graph_module.graph.nodes.iter().enumerate() {
        nodes.push(reader.node(number, node)?);
    }
    let output = reader.output(output)?;
    let stores = reader.stores()?;
    reader.scalings(&mut nodes);
    let graph = Graph {
        values: reader.values,
        nodes: Vec::new(),
        input: reader.input,
        output,
        held: reader.held,
        stores,
        kind: reader.kind,
        most: reader.most,
    };
    let only_output = program.outputs().count() == 1;
    let graph = needed::keep(graph, nodes, only_output)?;
    for_training(&graph)?;
    Ok(graph)
}

/// A network that was exported for evaluation would be trained without dropout and with fixed statistics.
fn for_training(graph: &Graph) -> Result<(), String> {
    let shown = |wanted: ExportedFor| {
        let shows =
            |node: &&Node| matches!(semantics::of(&node.operator, &node.arguments), Ok((_, Some(is))) if is == wanted);
        graph.nodes.iter().find(shows)
    };
    match (shown(ExportedFor::Evaluation), shown(ExportedFor::Training)) {
        (Some(node), None) => Err(format!(
            "was exported for evaluation: {} neither drops anything nor takes a batch's statistics; call `net.train()` before \
             `torch.export.export`",
            node.place()
        )),
        _ => Ok(()),
    }
}

/// A node, or why it cannot be used: an error only if the output depends on it.
pub(super) enum Read {
    Node(Box<Node>),
    Problem { results: Vec<ValueId>, problem: String },
}

/// A program as it is read.
pub(super) struct Reader<'a> {
    pub(super) program: &'a Program,
    batch: String,
    pub(super) values: Vec<Value>,
    names: HashMap<&'a str, ValueId>,
    pub(super) held: Vec<Held>,
    input: ValueId,
    kind: Kind,
    most: Option<i64>,
}

impl Program {
    pub(super) fn outputs(&self) -> impl Iterator<Item = &schema::UserSpec> {
        let specs = self.graph_module.signature.output_specs.iter();
        specs.filter_map(|spec| match spec {
            OutputSpec::UserOutput(user) => Some(user),
            _ => None,
        })
    }

    fn meta(&self, name: &str) -> Result<&TensorMeta, String> {
        let found = self.graph_module.graph.tensor_values.get(name);
        found.ok_or_else(|| format!("is damaged: it says nothing of the tensor `{name}`"))
    }
}

impl<'a> Reader<'a> {
    fn new(
        program: &'a Program,
        weights: &BTreeMap<String, Stored>,
        constants: &BTreeMap<String, Stored>,
    ) -> Result<Self, String> {
        let (user, meta) = user_input(program)?;
        let batch = batch(meta)?;
        let kind = stored::kind(meta.dtype)?;
        if !matches!(kind, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16) {
            return Err(format!("takes {kind:?} numbers, but images are floating-point numbers"));
        }
        let most = program.range_constraints.get(&batch).and_then(|range| range.max_val);
        let mut reader = Self {
            program,
            batch,
            values: Vec::new(),
            names: HashMap::new(),
            held: Vec::new(),
            input: 0,
            kind,
            most,
        };
        reader.input = reader.value(user, Source::Input)?;
        reader.take_held(weights, constants)?;
        Ok(reader)
    }

    /// Parameters, buffers and constants: those of the signature, and those in the weights that nothing reads.
    fn take_held(
        &mut self,
        weights: &BTreeMap<String, Stored>,
        constants: &BTreeMap<String, Stored>,
    ) -> Result<(), String> {
        let mut places: HashMap<String, usize> = HashMap::new();
        for spec in &self.program.graph_module.signature.input_specs {
            let (argument, name, role) = match spec {
                InputSpec::Parameter(spec) => (&spec.arg, &spec.parameter_name, HeldRole::Parameter),
                InputSpec::Buffer(spec) if spec.persistent => {
                    (&spec.arg, &spec.buffer_name, HeldRole::Buffer(Keep::Weights))
                }
                InputSpec::Buffer(spec) => (&spec.arg, &spec.buffer_name, HeldRole::Buffer(Keep::Nothing)),
                InputSpec::TensorConstant(spec) => {
                    (&spec.arg, &spec.tensor_constant_name, HeldRole::Buffer(Keep::Nothing))
                }
                InputSpec::UserInput(_) => continue,
                InputSpec::CustomObj(_) | InputSpec::ConstantInput(_) | InputSpec::Token(_) => {
                    return Err(
                        "takes more than tensors (an object, a constant or a token), which cannot be given".to_owned(),
                    );
                }
            };
            let stored = weights.get(name).or_else(|| constants.get(name));
            let stored = stored.ok_or_else(|| format!("is damaged: it has no numbers for `{name}`"))?;
            // Two names of one tensor are one parameter.
            let index = match places.get(&stored.same_as) {
                Some(index) => *index,
                None => {
                    self.held.push(held(name, role, stored));
                    self.held.len() - 1
                }
            };
            places.insert(stored.same_as.clone(), index);
            let value = self.value(&argument.name, Source::Held(index))?;
            self.held[index].values.push(value);
        }
        for (name, stored) in weights {
            if let Some(index) = places.get(&stored.same_as)
                && self.held[*index].name != *name
            {
                self.held[*index].also.push(name.clone());
            }
        }
        let known: Vec<String> = self.held.iter().map(|held| held.name.clone()).collect();
        for (name, stored) in weights {
            if !known.contains(name) && !places.contains_key(&stored.same_as) {
                self.held.push(held(name, HeldRole::Buffer(Keep::Weights), stored));
            }
        }
        Ok(())
    }

    fn value(&mut self, name: &'a str, source: Source) -> Result<ValueId, String> {
        let meta = self.program.meta(name)?;
        let shape = meta
            .sizes
            .iter()
            .map(|size| self.size(size))
            .collect::<Result<_, String>>()
            .ok();
        let id = self.values.len();
        self.values.push(Value {
            name: name.to_owned(),
            source,
            kind: stored::kind(meta.dtype)?,
            shape,
            memory: id,
        });
        if self.names.insert(name, id).is_some() {
            return Err(format!("is damaged: two tensors have the name `{name}`"));
        }
        Ok(id)
    }

    pub(super) fn size(&self, size: &SymInt) -> Result<Expression, String> {
        match size {
            SymInt::AsInt(number) => Ok(Expression::Number(*number)),
            SymInt::AsExpr(expression) => Expression::read(&expression.expr_str, &self.batch),
        }
    }

    pub(super) fn named(&self, name: &str) -> Result<ValueId, String> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| format!("it takes `{name}`, which nothing before it makes"))
    }

    fn node(&mut self, number: usize, node: &'a schema::Node) -> Result<Read, String> {
        let mut outputs = Vec::new();
        let mut numbers = false;
        for output in &node.outputs {
            outputs.push(match serde_json::from_value(output.clone()) {
                Ok(schema::Argument::AsTensor(_)) => {
                    Output::Tensor(self.made(&output["as_tensor"]["name"], number, node)?)
                }
                Ok(schema::Argument::AsTensors(_)) => {
                    let names = output["as_tensors"].as_array().map_or(&[][..], |names| names);
                    let made = names.iter().map(|name| self.made(&name["name"], number, node));
                    Output::Tensors(made.collect::<Result<_, String>>()?)
                }
                Ok(schema::Argument::AsNone(_)) => Output::Unread,
                _ => {
                    numbers = true;
                    Output::Unread
                }
            });
        }
        let results = outputs.iter().flat_map(Output::tensors).collect();
        // What sizes are is known from their formulas; nobody needs to compute them. Sizes that cannot be are errors of operators.
        let checks = ["aten._assert", "aten.sym_constrain"];
        let checks = checks.iter().any(|check| node.target.contains(check));
        if checks || numbers && outputs.iter().all(|output| *output == Output::Unread) {
            return Ok(Read::Problem {
                results,
                problem: String::new(),
            });
        }
        let modules = modules(node.metadata.get("nn_module_stack").map_or("", String::as_str));
        let line = line(node.metadata.get("stack_trace").map_or("", String::as_str));
        let name = node.name.clone().unwrap_or_else(|| match &outputs[..] {
            [Output::Tensor(value), ..] => self.values[*value].name.clone(),
            _ => number.to_string(),
        });
        Ok(match self.call(node) {
            Ok((operator, does, arguments)) => Read::Node(Box::new(Node {
                number,
                name,
                operator,
                does,
                arguments,
                outputs,
                modules,
                line,
                aside: false,
                quiet: node.quiet,
            })),
            Err(problem) => {
                let target = node.target.strip_prefix("torch.ops.").unwrap_or(&node.target);
                let problem = format!("cannot be used: {}: {problem}", place(&name, target, &modules, &line));
                Read::Problem { results, problem }
            }
        })
    }

    /// A tensor that a node makes.
    fn made(&mut self, name: &'a serde_json::Value, number: usize, node: &schema::Node) -> Result<ValueId, String> {
        let name = name
            .as_str()
            .ok_or_else(|| format!("is damaged: a result of `{}` has no name", node.target))?;
        self.value(name, Source::Node(number))
    }
}

fn held(name: &str, role: HeldRole, stored: &Stored) -> Held {
    // What is frozen is part of the weights, and not trained.
    let role = match role {
        HeldRole::Parameter if !stored.trained => HeldRole::Buffer(Keep::Weights),
        role => role,
    };
    Held {
        name: name.to_owned(),
        also: Vec::new(),
        role,
        stored: stored.clone(),
        values: Vec::new(),
        changes: false,
        fresh: false,
    }
}

fn user_input(program: &Program) -> Result<(&str, &TensorMeta), String> {
    let specs = program.graph_module.signature.input_specs.iter();
    let users: Vec<_> = specs
        .filter_map(|spec| match spec {
            InputSpec::UserInput(user) => Some(&user.arg),
            _ => None,
        })
        .collect();
    match users[..] {
        [schema::Argument::AsTensor(tensor)] => Ok((&tensor.name, program.meta(&tensor.name)?)),
        [_] => Err("takes something that is no tensor; it must take the images, and nothing else".to_owned()),
        _ => Err(format!(
            "takes {} inputs; it must take one, the images: wrap it in a module whose `forward` does, and export that",
            users.len()
        )),
    }
}

/// The symbol that stands for the number of samples.
fn batch(meta: &TensorMeta) -> Result<String, String> {
    match meta.sizes.first() {
        Some(SymInt::AsExpr(expression)) => {
            let text = expression.expr_str.trim();
            let name = match text.strip_prefix("Symbol('") {
                Some(rest) => rest.split('\'').next().unwrap_or_default(),
                None => text,
            };
            if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return Ok(name.to_owned());
            }
            Err(format!(
                "takes batches of `{text}` samples, so not of any size; {EXPORT}"
            ))
        }
        Some(SymInt::AsInt(count)) => Err(format!(
            "was exported for batches of exactly {count}: the first dimension of its input must be dynamic; {EXPORT}"
        )),
        None => Err("takes a single number, not images".to_owned()),
    }
}
