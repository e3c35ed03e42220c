//! What the JSON of an archive says, as `serde` reads it: of the schema of version 8 the parts that are needed.

use super::archive::EXPORT;
use super::inlined::inline;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The version of the schema whose files can be read.
const MAJOR: u64 = 8;

#[derive(Deserialize)]
struct Versioned {
    schema_version: Version,
    #[serde(default)]
    torch_version: String,
}

#[derive(Deserialize)]
struct Version {
    major: u64,
    minor: u64,
}

#[derive(Deserialize)]
pub(super) struct Program {
    pub(super) graph_module: GraphModule,
    pub(super) range_constraints: BTreeMap<String, Range>,
}

#[derive(Deserialize)]
pub(super) struct Range {
    pub(super) max_val: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct GraphModule {
    pub(super) graph: Graph,
    pub(super) signature: Signature,
}

#[derive(Deserialize)]
pub(super) struct Graph {
    pub(super) inputs: Vec<Value>,
    pub(super) outputs: Vec<Value>,
    pub(super) nodes: Vec<Node>,
    pub(super) tensor_values: HashMap<String, TensorMeta>,
    pub(super) sym_int_values: HashMap<String, SymInt>,
}

#[derive(Deserialize)]
pub(super) struct Node {
    pub(super) target: String,
    pub(super) inputs: Vec<NamedArgument>,
    pub(super) outputs: Vec<Value>,
    pub(super) metadata: HashMap<String, String>,
    pub(super) name: Option<String>,
    /// Gradients are off in it.
    #[serde(skip)]
    pub(super) quiet: bool,
}

/// The argument is read when it is known of which node it is.
#[derive(Deserialize)]
pub(super) struct NamedArgument {
    pub(super) name: String,
    pub(super) arg: Value,
}

#[derive(Deserialize)]
pub(super) struct TensorMeta {
    pub(super) dtype: u32,
    pub(super) sizes: Vec<SymInt>,
    #[serde(default)]
    pub(super) requires_grad: bool,
    #[serde(default)]
    pub(super) strides: Vec<SymInt>,
    pub(super) storage_offset: Option<SymInt>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SymInt {
    AsInt(i64),
    AsExpr(SymExpr),
}

#[derive(Deserialize)]
pub(super) struct SymExpr {
    pub(super) expr_str: String,
}

/// What nobody needs to know.
pub(super) type Nothing = serde::de::IgnoredAny;

#[derive(Deserialize)]
pub(super) struct Name {
    pub(super) name: String,
}

/// The arguments that can be read.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "as the schema calls them")]
pub(super) enum Argument {
    AsNone(Nothing),
    AsTensor(Name),
    AsTensors(Vec<Name>),
    AsInt(i64),
    AsInts(Vec<i64>),
    AsFloat(Value),
    AsFloats(Vec<Value>),
    AsString(String),
    AsSymInt(SymArgument),
    AsSymInts(Vec<SymArgument>),
    AsScalarType(u32),
    AsMemoryFormat(u32),
    AsLayout(u32),
    AsDevice(Nothing),
    AsBool(bool),
    AsBools(Vec<bool>),
    AsOptionalTensor(OptionalTensor),
    AsOptionalTensors(Vec<OptionalTensor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OptionalTensor {
    AsTensor(Name),
    AsNone(Nothing),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SymArgument {
    AsName(String),
    AsInt(i64),
}

#[derive(Deserialize)]
pub(super) struct Signature {
    pub(super) input_specs: Vec<InputSpec>,
    pub(super) output_specs: Vec<OutputSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InputSpec {
    UserInput(UserSpec),
    Parameter(ParameterSpec),
    Buffer(BufferSpec),
    TensorConstant(ConstantSpec),
    CustomObj(Nothing),
    ConstantInput(Nothing),
    Token(Nothing),
}

#[derive(Deserialize)]
pub(super) struct UserSpec {
    pub(super) arg: Argument,
}

#[derive(Deserialize)]
pub(super) struct ParameterSpec {
    pub(super) arg: Name,
    pub(super) parameter_name: String,
}

#[derive(Deserialize)]
pub(super) struct BufferSpec {
    pub(super) arg: Name,
    pub(super) buffer_name: String,
    pub(super) persistent: bool,
}

#[derive(Deserialize)]
pub(super) struct ConstantSpec {
    pub(super) arg: Name,
    pub(super) tensor_constant_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutputSpec {
    UserOutput(UserSpec),
    BufferMutation(MutationSpec),
    #[serde(untagged)]
    Other(Value),
}

#[derive(Deserialize)]
pub(super) struct MutationSpec {
    pub(super) arg: Name,
    pub(super) buffer_name: String,
}

/// Where the numbers of tensors lie.
#[derive(Deserialize)]
pub(super) struct PayloadConfig {
    pub(super) config: BTreeMap<String, Payload>,
}

#[derive(Deserialize)]
pub(super) struct Payload {
    pub(super) path_name: String,
    #[serde(default)]
    pub(super) use_pickle: bool,
    pub(super) tensor_meta: Option<TensorMeta>,
}

/// Reads JSON of a known form.
pub(super) fn read<T: serde::de::DeserializeOwned>(name: &str, json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| {
        format!("is damaged: `{name}` makes no sense ({error}); copy or download it again, or {EXPORT}")
    })
}

/// Reads a part of it.
pub(super) fn read_value<T: serde::de::DeserializeOwned>(json: &Value) -> Result<T, String> {
    serde_json::from_value(json.clone()).map_err(|error| format!("makes no sense ({error})"))
}

impl Program {
    /// Reads it, if its version is the one that is known.
    pub(super) fn read(name: &str, json: &[u8]) -> Result<Self, String> {
        let Versioned {
            schema_version: Version { major, minor },
            torch_version,
        } = read(name, json)?;
        if major != MAJOR {
            return Err(format!(
                "is written in version {major}.{minor} of the export schema (PyTorch {torch_version}), and only version {MAJOR} \
                 can be read; {EXPORT}"
            ));
        }
        let mut program: Self = read(name, json)?;
        inline(&mut program.graph_module.graph, 0)?;
        Ok(program)
    }
}
