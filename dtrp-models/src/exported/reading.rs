//! From what an archive says to the graph.

use super::expression::Expression;
use super::graph::{Argument, Called, Graph, Held, HeldRole, Node, Output, Source, Value, ValueId, place};
use super::schema::{self, InputSpec, OptionalTensor, OutputSpec, Program, SymArgument, SymInt, TensorMeta};
use super::semantics::{self, Does, ExportedFor};
use super::stored::{self, Stored};
use super::{archive::EXPORT, needed};
use dtrp_core::torch::{Keep, Operator};
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

struct Reader<'a> {
    program: &'a Program,
    batch: String,
    values: Vec<Value>,
    names: HashMap<&'a str, ValueId>,
    held: Vec<Held>,
    input: ValueId,
    kind: Kind,
    most: Option<i64>,
}

impl Program {
    fn outputs(&self) -> impl Iterator<Item = &schema::UserSpec> {
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

    fn size(&self, size: &SymInt) -> Result<Expression, String> {
        match size {
            SymInt::AsInt(number) => Ok(Expression::Number(*number)),
            SymInt::AsExpr(expression) => Expression::read(&expression.expr_str, &self.batch),
        }
    }

    fn named(&self, name: &str) -> Result<ValueId, String> {
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
        // What sizes are is known from their formulas; nobody needs to compute them.
        if numbers && outputs.iter().all(|output| *output == Output::Unread) {
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

    fn call(&self, node: &schema::Node) -> Result<(Operator, Does, Vec<Argument>), String> {
        let operator = operator(&node.target)?;
        let declared = &operator.signature().arguments;
        let mut arguments: Vec<Option<Argument>> = declared.iter().map(|_| None).collect();
        for given in &node.inputs {
            let index = declared.iter().position(|argument| argument.name == given.name);
            let index = index
                .ok_or_else(|| format!("it has an argument `{}`, which this libtorch does not know", given.name))?;
            let argument = self.argument(&given.arg);
            let mut argument = argument.map_err(|problem| format!("argument `{}`: {problem}", given.name))?;
            // A kernel of cuDNN is taken wherever it can be, wherever the network was exported.
            if given.name == "cudnn_enabled" {
                argument = Argument::Bool(true);
            }
            arguments[index] = Some(argument);
        }
        let given = declared
            .iter()
            .zip(arguments)
            .map(|(declared, argument)| match argument {
                Some(argument) => Ok(argument),
                None if declared.optional => Ok(Argument::Default),
                None => Err(format!("argument `{}` is missing", declared.name)),
            });
        let arguments = given.collect::<Result<Vec<_>, String>>()?;
        let (does, _) = semantics::of(&operator, &arguments)?;
        Ok((operator, does, arguments))
    }

    fn argument(&self, json: &serde_json::Value) -> Result<Argument, String> {
        use schema::Argument as Given;
        let given = serde_json::from_value(json.clone()).map_err(|_| {
            let kind = json.as_object().and_then(|object| object.keys().next());
            format!(
                "values of kind `{}` cannot be given",
                kind.map_or("unknown", String::as_str)
            )
        })?;
        let tensor = |tensor: &OptionalTensor| match tensor {
            OptionalTensor::AsTensor(tensor) => self.named(&tensor.name).map(Some),
            OptionalTensor::AsNone(_) => Ok(None),
        };
        Ok(match given {
            Given::AsNone(_) => Argument::None,
            Given::AsTensor(tensor) => Argument::Tensor(self.named(&tensor.name)?),
            Given::AsTensors(tensors) => {
                let tensors = tensors.iter().map(|tensor| self.named(&tensor.name).map(Some));
                Argument::Tensors(tensors.collect::<Result<_, String>>()?)
            }
            Given::AsOptionalTensor(one) => tensor(&one)?.map_or(Argument::None, Argument::Tensor),
            Given::AsOptionalTensors(tensors) => {
                Argument::Tensors(tensors.iter().map(tensor).collect::<Result<_, String>>()?)
            }
            Given::AsInt(number) => Argument::Int(number),
            Given::AsInts(numbers) => Argument::Ints(numbers),
            Given::AsFloat(number) => Argument::Float(float(&number)?),
            Given::AsFloats(numbers) => Argument::Floats(numbers.iter().map(float).collect::<Result<_, String>>()?),
            Given::AsString(text) => Argument::Text(text),
            Given::AsSymInt(size) => match self.sym(&size)? {
                Expression::Number(number) => Argument::Int(number),
                size => Argument::Size(size),
            },
            Given::AsSymInts(sizes) => {
                Argument::Sizes(sizes.iter().map(|size| self.sym(size)).collect::<Result<_, String>>()?)
            }
            Given::AsScalarType(number) => Argument::Kind(stored::kind(number)?),
            // The schema's numbers, and c10's.
            Given::AsMemoryFormat(number) => Argument::Int(match number {
                1 => 0,
                2 => 2,
                3 => 3,
                4 => 1,
                _ => return Err(format!("memory format {number} is not known")),
            }),
            Given::AsLayout(7) => Argument::Int(0),
            Given::AsLayout(_) => return Err("tensors that are not dense cannot be used".to_owned()),
            Given::AsDevice(_) => Argument::Device,
            Given::AsBool(value) => Argument::Bool(value),
            Given::AsBools(values) => Argument::Bools(values),
        })
    }

    fn sym(&self, size: &SymArgument) -> Result<Expression, String> {
        match size {
            SymArgument::AsInt(number) => Ok(Expression::Number(*number)),
            SymArgument::AsName(name) => {
                let sizes = &self.program.graph_module.graph.sym_int_values;
                let size = sizes
                    .get(name)
                    .ok_or_else(|| format!("nothing is said of the size `{name}`"))?;
                self.size(size)
            }
        }
    }

    /// The result that is trained.
    fn output(&self, chosen: Option<usize>) -> Result<ValueId, String> {
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
                    let (name, shape) = (&value.name, value.shape.as_deref().map(super::shape_text));
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
    fn stores(&self) -> Result<Vec<(ValueId, ValueId)>, String> {
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
    fn scalings(&self, nodes: &mut [Read]) {
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

fn held(name: &str, role: HeldRole, stored: &Stored) -> Held {
    // What is frozen is part of the weights, and not trained.
    let role = match role {
        HeldRole::Parameter if !stored.trained => HeldRole::Buffer(Keep::Weights),
        role => role,
    };
    Held {
        name: name.to_owned(),
        role,
        stored: stored.clone(),
        values: Vec::new(),
        changes: false,
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

/// `torch.ops.aten.conv2d.default` is `aten::conv2d` without an overload's name.
fn operator(target: &str) -> Result<Operator, String> {
    let parts: Option<Vec<&str>> = target.strip_prefix("torch.ops.").map(|rest| rest.split('.').collect());
    let Some([namespace, name, overload]) = parts.as_deref() else {
        return Err("it is no operator of libtorch (control flow, or a function of Python)".to_owned());
    };
    let full = format!("{namespace}::{name}");
    let overload = if *overload == "default" { "" } else { overload };
    let found = Operator::find(&full, overload).map_err(|error| error.to_string())?;
    found.ok_or_else(|| {
        let which = if overload.is_empty() {
            String::new()
        } else {
            format!(" with the overload `{overload}`")
        };
        format!("this libtorch has no operator `{full}`{which}")
    })
}

fn float(json: &serde_json::Value) -> Result<f64, String> {
    match json.as_str() {
        Some("Infinity") => Ok(f64::INFINITY),
        Some("-Infinity") => Ok(f64::NEG_INFINITY),
        Some("NaN") => Ok(f64::NAN),
        _ => json.as_f64().ok_or_else(|| format!("{json} is no number")),
    }
}

/// `KEY,PATH,CLASS` for each module, between semicolons, the outermost first.
fn modules(stack: &str) -> Vec<Called> {
    let called = |entry: &str| {
        let (rest, class) = entry.rsplit_once(',')?;
        let (_, path) = rest.split_once(',')?;
        Some(Called {
            path: path.to_owned(),
            class: class.to_owned(),
        })
    };
    stack
        .split(';')
        .filter_map(called)
        .filter(|module| !module.path.is_empty())
        .collect()
}

/// The innermost line of a trace that is none of PyTorch's own, as `FILE:LINE`; else the innermost.
fn line(trace: &str) -> String {
    let lines: Vec<&str> = trace
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("File "))
        .collect();
    let own = lines.iter().rev().find(|line| !line.contains("/torch/nn/"));
    let Some(line) = own.or(lines.last()) else {
        return String::new();
    };
    let mut parts = line.trim_start_matches("File ").split(", ");
    let file = parts.next().unwrap_or_default().trim_matches('"');
    match parts.next().and_then(|part| part.strip_prefix("line ")) {
        Some(number) => format!("{file}:{number}"),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_node_comes_from() {
        let stack = "L__self__,,a.Net;L__self__layer1,layer1,torch.nn.modules.container.Sequential";
        let [module] = &modules(stack)[..] else { panic!() };
        assert_eq!(
            (module.path.as_str(), module.class.ends_with("Sequential")),
            ("layer1", true)
        );
        let trace = "File \"/a/net.py\", line 28, in forward\n    x = f(x)\n  File \"/b/torch/nn/modules/conv.py\", line 5, in g";
        assert_eq!(line(trace), "/a/net.py:28");
        assert_eq!((line(""), modules("").len()), (String::new(), 0));
    }
}
