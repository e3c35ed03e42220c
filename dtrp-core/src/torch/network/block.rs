//! Blocks: the smallest pieces of a network, functions of (parameter views, input).

use super::initial::{Given, Init};
use super::sequence::Join;
use std::ops::Index;
use std::sync::Arc;
use tch::{Device, Kind, TchError, Tensor};

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Training: batch statistics; the running statistics are updated.
    Train,
    /// The first of two forwards of a batch (`F`), or a graph that is built again after the run was saved: batch statistics; the
    /// running statistics are left alone. Output and graph are those of [`Train`](Self::Train).
    TrainKeepingStatistics,
    /// Evaluation: running statistics, no dropout.
    Evaluate,
}

/// One forward pass, as its blocks see it.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// What it is for.
    pub mode: Mode,
    /// The run's seed, for randomness inside blocks.
    pub seed: u64,
    /// The batch, counted over the whole run, for randomness inside blocks: the same in F and R.
    pub batch: u64,
    /// Index of the block in the network, for randomness inside blocks.
    pub block: usize,
}

impl Pass {
    /// Whether batch statistics are used.
    pub fn training(&self) -> bool {
        self.mode != Mode::Evaluate
    }
}

/// A function from parameters and an input to an output. It holds shapes, never tensors, and must not change its input in
/// place: another pass needs it. In training the output depends on parameters, input and [`Pass`] alone, not on buffers: they may
/// have changed when the pass is repeated.
pub trait Block: Send + Sync {
    /// Computes the output from `input`. Both have the samples first; what follows is the block's own affair (channels ×
    /// height × width, features). With [`Precision::Bf16`](super::Precision) the input may be bf16, the parameters never are.
    ///
    /// # Errors
    ///
    /// Those of libtorch: wrong shapes, no memory.
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError>;
}

/// A block over a list of tensors: what crosses a place where several tensors are alive, such as the inside of a residual block,
/// or a border in a network that was exported from elsewhere. Every [`Block`] is one that takes one tensor and gives one.
///
/// Floating-point tensors have gradients; others (indices, masks) travel up alone. What it does not use it passes on, so that
/// the block above gets it. It holds no tensors, changes no input in place and depends on nothing else, as a [`Block`].
///
/// ```
/// use dtrp_core::torch::{BlockSpec, ListBlock, Pass, Vars};
/// use tch::{TchError, Tensor};
///
/// /// The end of a residual block: what was computed beside the shortcut, and the shortcut.
/// struct Join;
///
/// impl ListBlock for Join {
///     fn forward_list(&self, _: &Vars<'_>, inputs: &[Tensor], _: &Pass) -> Result<Vec<Tensor>, TchError> {
///         Ok(vec![inputs[0].f_add(&inputs[1])?])
///     }
/// }
///
/// let join = BlockSpec::build("join", |_| Join);
/// assert_eq!(join.parameters(), 0);
/// ```
pub trait ListBlock: Send + Sync {
    /// Computes the outputs from what the block below gives, in its order.
    ///
    /// # Errors
    ///
    /// Those of libtorch; another number of inputs than the block takes.
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError>;
}

impl<B: Block> ListBlock for B {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        let [input] = inputs else {
            return Err(TchError::Shape(format!(
                "this block takes one tensor, but the one below gives {}",
                inputs.len()
            )));
        };
        Ok(vec![self.forward(vars, input, pass)?])
    }
}

/// A function is a block without a type of its own.
impl<F> Block for F
where
    F: Fn(&Vars<'_>, &Tensor, &Pass) -> Result<Tensor, TchError> + Send + Sync,
{
    fn forward(&self, vars: &Vars<'_>, input: &Tensor, pass: &Pass) -> Result<Tensor, TchError> {
        self(vars, input, pass)
    }
}

/// Whether weight decay applies to a parameter when biases and norms are excluded from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A weight of a convolution or linear layer.
    Weight,
    /// A bias, or a parameter of a normalisation.
    BiasOrNorm,
}

/// A parameter that a block declares.
#[derive(Debug, Clone)]
pub struct ParamSpec {
    /// Its name in the whole network, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// Other names of the same parameter, under which it is exported too.
    pub also: Vec<String>,
    /// Its shape.
    pub shape: Vec<i64>,
    /// What it is.
    pub role: Role,
    /// How it starts.
    pub init: Init,
    /// How it starts anew, where `init` is given values and that is known.
    pub anew: Option<Init>,
}

impl ParamSpec {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A tensor that is not a parameter: state, such as a running mean, or a table that never changes.
#[derive(Debug, Clone)]
pub struct BufferSpec {
    /// Its name in the whole network.
    pub name: String,
    /// Its shape.
    pub shape: Vec<i64>,
    /// What it starts with.
    pub start: Start,
    /// What it is kept with.
    pub keep: Keep,
    /// What it starts anew with everywhere, where `start` is given values and that is known.
    pub anew: Option<f64>,
}

/// What a buffer starts with.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// The same value everywhere, in the element type of the parameters.
    Constant(f64),
    /// These values. Floating-point numbers take the element type of the parameters, integers and truth values keep theirs.
    Given(Given),
}

/// What a buffer is kept with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The weights: it is exported and loaded with them.
    Weights,
    /// The run: a checkpoint has it, exported weights do not.
    Run,
    /// Nothing: it never changes, and whoever builds the network has it.
    Nothing,
}

impl BufferSpec {
    /// A tensor of what it starts with.
    pub(super) fn tensor(&self, (kind, device): (Kind, Device)) -> Result<Tensor, TchError> {
        match &self.start {
            Start::Constant(value) => Tensor::f_full(self.shape.as_slice(), *value, (kind, device)),
            Start::Given(given) => {
                let kind = if given.is_floating_point() { kind } else { given.kind() };
                given.tensor(&self.shape)?.f_to_kind(kind)?.f_to_device(device)
            }
        }
    }
}

/// A parameter of one block.
#[derive(Debug, Clone, Copy)]
pub struct ParamId(usize);

/// A buffer of one block.
#[derive(Debug, Clone, Copy)]
pub struct BufferId(usize);

/// A block and what it declares. A copy shares the function, which holds no tensors: building, describing and training a
/// network can each have one.
#[derive(Clone)]
pub struct BlockSpec {
    /// Its name, such as `layer1.0`.
    pub name: String,
    /// Its parameters, in the order of declaration.
    pub params: Vec<ParamSpec>,
    /// Its buffers, in the order of declaration.
    pub buffers: Vec<BufferSpec>,
    /// The function.
    pub block: Arc<dyn ListBlock>,
    /// What it can be cut into, where it is a [sequence](Self::sequence): the network can be cut between them too.
    pub parts: Vec<BlockSpec>,
    /// Its number in the network for random numbers, where that is not its place.
    pub(super) number: Option<usize>,
    /// Of a part: what makes one block of it and its neighbours.
    pub(super) join: Option<Join>,
}

impl BlockSpec {
    /// Builds a block: `build` declares parameters and buffers in its scope and returns the function.
    ///
    /// ```
    /// use dtrp_core::torch::{BlockSpec, Init, Pass, Role, Vars};
    /// use tch::Tensor;
    ///
    /// let shift = BlockSpec::build("shift", |scope| {
    ///     let by = scope.param("shift.by", &[4], Role::BiasOrNorm, Init::Constant(0.0));
    ///     move |vars: &Vars<'_>, x: &Tensor, _: &Pass| x.f_add(&vars[by])
    /// });
    /// assert_eq!(shift.parameters(), 4);
    /// ```
    pub fn build<B: ListBlock + 'static>(name: &str, build: impl FnOnce(&mut Scope<'_>) -> B) -> Self {
        let mut declared = Declared::default();
        let block = build(&mut Scope {
            prefix: String::new(),
            declared: &mut declared,
        });
        Self {
            name: name.to_owned(),
            params: declared.params,
            buffers: declared.buffers,
            block: Arc::new(block),
            parts: Vec::new(),
            number: None,
            join: None,
        }
    }

    /// Number of parameters' elements.
    pub fn parameters(&self) -> usize {
        self.params.iter().map(ParamSpec::len).sum()
    }
}

#[derive(Default)]
struct Declared {
    params: Vec<ParamSpec>,
    buffers: Vec<BufferSpec>,
}

/// Where a block declares its parameters, under a dotted prefix.
pub struct Scope<'a> {
    prefix: String,
    declared: &'a mut Declared,
}

impl Scope<'_> {
    /// The scope `name` inside this one.
    pub fn sub(&mut self, name: &str) -> Scope<'_> {
        Scope {
            prefix: format!("{}{name}.", self.prefix),
            declared: self.declared,
        }
    }

    /// The name that something called `name` in this scope has in the whole network.
    pub fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Declares a parameter.
    pub fn param(&mut self, name: &str, shape: &[i64], role: Role, init: Init) -> ParamId {
        self.tied_param(name, Vec::new(), shape, role, init)
    }

    /// Declares a parameter that has other names in the whole network too.
    pub fn tied_param(&mut self, name: &str, also: Vec<String>, shape: &[i64], role: Role, init: Init) -> ParamId {
        let name = self.full_name(name);
        self.declared.params.push(ParamSpec {
            name,
            also,
            shape: shape.to_vec(),
            role,
            init,
            anew: None,
        });
        ParamId(self.declared.params.len() - 1)
    }

    /// Declares a buffer that starts as `start` everywhere.
    pub fn buffer(&mut self, name: &str, shape: &[i64], start: f64) -> BufferId {
        self.given_buffer(name, shape, Start::Constant(start), Keep::Weights)
    }

    /// Declares a buffer of any kind.
    pub fn given_buffer(&mut self, name: &str, shape: &[i64], start: Start, keep: Keep) -> BufferId {
        let name = self.full_name(name);
        self.declared.buffers.push(BufferSpec {
            name,
            shape: shape.to_vec(),
            start,
            keep,
            anew: None,
        });
        BufferId(self.declared.buffers.len() - 1)
    }
}

/// The tensors of one block in one pass: views of some arena, and the module's buffers.
#[derive(Clone, Copy)]
pub struct Vars<'a> {
    pub(super) params: &'a [Tensor],
    pub(super) buffers: &'a [Tensor],
    pub(super) options: (Kind, Device),
}

impl Vars<'_> {
    /// Element type and device of the parameters.
    pub fn options(&self) -> (Kind, Device) {
        self.options
    }
}

impl Index<ParamId> for Vars<'_> {
    type Output = Tensor;

    fn index(&self, id: ParamId) -> &Tensor {
        &self.params[id.0]
    }
}

impl Index<BufferId> for Vars<'_> {
    type Output = Tensor;

    fn index(&self, id: BufferId) -> &Tensor {
        &self.buffers[id.0]
    }
}
