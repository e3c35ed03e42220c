//! Blocks that are made of parts, between which a network can be cut too.

use super::block::{BlockSpec, ListBlock, Pass, Vars};
use std::sync::Arc;
use tch::{TchError, Tensor};

/// What makes one block of consecutive parts; see [`BlockSpec::sequence_by`].
#[derive(Clone)]
pub struct Join(Arc<Joining>);

type Joining = dyn Fn(&[BlockSpec]) -> BlockSpec + Send + Sync;

impl Join {
    /// A function from the parts, as they were given, to a block of the same parameters and buffers.
    pub fn new(join: impl Fn(&[BlockSpec]) -> BlockSpec + Send + Sync + 'static) -> Self {
        Self(Arc::new(join))
    }
}

impl BlockSpec {
    /// A block that runs `parts` one after the other: each takes what the one before it gives. A network can be cut between any
    /// two of them, with the same results bit for bit. The part `conv2` of `layer2.1` is called `layer2.1/conv2`; the first one
    /// has the name of the block.
    ///
    /// ```
    /// use dtrp_core::torch::{BlockSpec, ListBlock, Pass, Vars};
    /// use tch::{TchError, Tensor};
    ///
    /// fn fork(_: &Vars<'_>, x: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
    ///     x.f_relu()
    /// }
    /// fn double(_: &Vars<'_>, x: &Tensor, _: &Pass) -> Result<Tensor, TchError> {
    ///     x.f_mul_scalar(2.0)
    /// }
    ///
    /// let parts = vec![BlockSpec::build("relu", |_| fork), BlockSpec::build("double", |_| double)];
    /// let block = BlockSpec::sequence("layer", parts);
    /// assert_eq!(block.parts[1].name, "layer/double");
    /// ```
    pub fn sequence(name: &str, mut parts: Vec<BlockSpec>) -> Self {
        for (index, part) in parts.iter_mut().enumerate() {
            part.name = if index == 0 {
                name.to_owned()
            } else {
                format!("{name}/{}", part.name)
            };
        }
        Self::joined(parts)
    }

    /// As [`sequence`](Self::sequence), of parts that are more than one after the other: `join` makes one block of any run of them.
    /// It declares what they declare, and computes what they compute.
    pub fn sequence_by(name: &str, mut parts: Vec<BlockSpec>, join: Join) -> Self {
        parts.iter_mut().for_each(|part| part.join = Some(join.clone()));
        Self::sequence(name, parts)
    }

    /// The same block cut before each of the parts with these `names`; names of no part are ignored. What has no parts stays as
    /// it is.
    #[must_use]
    pub fn cut_before(self, names: &[impl AsRef<str>]) -> Vec<Self> {
        let is_cut = |part: &BlockSpec| names.iter().any(|name| name.as_ref() == part.name);
        if !self.parts.iter().skip(1).any(is_cut) {
            return vec![self];
        }
        let mut groups: Vec<Vec<BlockSpec>> = Vec::new();
        for (index, part) in self.parts.into_iter().enumerate() {
            match groups.last_mut() {
                Some(group) if index == 0 || !is_cut(&part) => group.push(part),
                _ => groups.push(vec![part]),
            }
        }
        groups.into_iter().map(Self::joined).collect()
    }

    /// The same block that draws random numbers as number `number` of its network, wherever it stands: a network that is cut
    /// inside blocks has more of them.
    #[must_use]
    pub fn numbered(self, number: usize) -> Self {
        Self {
            number: Some(number),
            ..self
        }
    }

    fn joined(mut parts: Vec<BlockSpec>) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        if let Some(join) = parts.first().and_then(|part| part.join.clone()) {
            let name = parts.first().map(|part| part.name.clone()).unwrap_or_default();
            return Self {
                name,
                parts: parts.clone(),
                ..(join.0)(&parts)
            };
        }
        let own = parts.iter().map(|part| Own {
            params: part.params.len(),
            buffers: part.buffers.len(),
            block: Arc::clone(&part.block),
        });
        Self {
            name: parts.first().map(|part| part.name.clone()).unwrap_or_default(),
            params: parts.iter().flat_map(|part| part.params.clone()).collect(),
            buffers: parts.iter().flat_map(|part| part.buffers.clone()).collect(),
            block: Arc::new(Sequence(own.collect())),
            number: None,
            join: None,
            parts,
        }
    }
}

/// Blocks one after the other.
struct Sequence(Vec<Own>);

/// One of them, and how many parameters and buffers it declares.
struct Own {
    params: usize,
    buffers: usize,
    block: Arc<dyn ListBlock>,
}

impl ListBlock for Sequence {
    fn forward_list(&self, vars: &Vars<'_>, inputs: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>, TchError> {
        let mut activations: Vec<Tensor> = inputs.iter().map(Tensor::shallow_clone).collect();
        let (mut params, mut buffers) = (vars.params, vars.buffers);
        for part in &self.0 {
            let own = Vars {
                params: &params[..part.params],
                buffers: &buffers[..part.buffers],
                options: vars.options,
            };
            (params, buffers) = (&params[part.params..], &buffers[part.buffers..]);
            activations = part.block.forward_list(&own, &activations, pass)?;
        }
        Ok(activations)
    }
}
