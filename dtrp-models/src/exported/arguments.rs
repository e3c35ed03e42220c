//! What operators are given, as a file says it.

use super::expression::Expression;
use super::graph::Argument;
use super::reading::Reader;
use super::schema::{self, OptionalTensor, SymArgument};
use super::semantics::{self, Does};
use super::stored;
use dtrp_core::torch::Operator;

impl Reader<'_> {
    /// The operator of a node, what it does, and what it is given.
    pub(super) fn call(&self, node: &schema::Node) -> Result<(Operator, Does, Vec<Argument>), String> {
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
