//! One flat tensor for all parameters of a module.

use super::block::{ParamSpec, Role};
use crate::torch::TorchError;
use tch::{Device, Kind, Tensor};

/// Elements between the starts of two parameters are a multiple of this: 64 bytes in f32, a cache line and an AVX-512
/// register.
const ALIGNMENT: usize = 16;

/// Where each parameter lies in the flat tensor. Weights come first, biases and norms after them, so that weight decay is
/// a range; gaps and the parts of other roles stay zero for ever.
#[derive(Debug, Clone)]
pub struct ArenaLayout {
    places: Vec<Place>,
    weights: usize,
    total: usize,
    channels_last: bool,
}

#[derive(Debug, Clone)]
struct Place {
    offset: usize,
    len: usize,
    shape: Vec<i64>,
}

impl ArenaLayout {
    /// Lays out parameters, in the order of `specs` within each role.
    pub fn new<'a>(specs: impl Iterator<Item = &'a ParamSpec> + Clone) -> Self {
        let mut places: Vec<Place> = specs
            .clone()
            .map(|spec| Place {
                offset: 0,
                len: spec.len(),
                shape: spec.shape.clone(),
            })
            .collect();
        let mut total = 0;
        let mut weights = 0;
        for role in [Role::Weight, Role::BiasOrNorm] {
            for (place, spec) in places.iter_mut().zip(specs.clone()) {
                if spec.role == role {
                    place.offset = total;
                    total += place.len.next_multiple_of(ALIGNMENT);
                }
            }
            if role == Role::Weight {
                weights = total;
            }
        }
        Self {
            places,
            weights,
            total,
            channels_last: false,
        }
    }

    /// The same places; parameters of four dimensions lie with their second dimension, the input channels, last.
    #[must_use]
    pub fn channels_last(self) -> Self {
        Self {
            channels_last: true,
            ..self
        }
    }

    /// Elements of the flat tensor, gaps included.
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Elements of the flat tensor that belong to [`Role::Weight`]: the range `0..weights()`.
    pub fn weights(&self) -> usize {
        self.weights
    }

    /// A flat tensor of zeros: [`len`](Self::len) elements.
    ///
    /// # Errors
    ///
    /// When the device has no room.
    pub fn zeros(&self, options: (Kind, Device)) -> Result<Tensor, TorchError> {
        Ok(Tensor::f_zeros([self.total as i64], options)?)
    }

    /// The parameters as views of a flat tensor of [`len`](Self::len) elements, in the order and the shapes of the specs.
    ///
    /// # Errors
    ///
    /// Those of libtorch: a tensor of another length.
    pub fn views(&self, flat: &Tensor) -> Result<Vec<Tensor>, TorchError> {
        let view = |place: &Place| {
            let slice = flat.f_narrow(0, place.offset as i64, place.len as i64)?;
            Ok(match place.shape[..] {
                [outputs, inputs, height, width] if self.channels_last => slice
                    .f_view([outputs, height, width, inputs])?
                    .f_permute([0, 3, 1, 2])?,
                _ => slice.f_view(place.shape.as_slice())?,
            })
        };
        self.places.iter().map(view).collect()
    }
}

/// A flat tensor and each parameter in it as an autograd leaf of its own.
///
/// A leaf is a detached view that shares storage with the flat tensor: were it a slice taken inside the graph, its backward
/// would fill a whole arena for every parameter.
#[derive(Debug)]
pub struct Arena {
    /// All parameters: one dimension, with the gaps of the layout.
    pub flat: Tensor,
    /// Each parameter, requiring a gradient, in the order of the specs.
    pub leaves: Vec<Tensor>,
}

impl Arena {
    /// Wraps a flat tensor of as many elements as the layout has.
    ///
    /// # Errors
    ///
    /// As [`ArenaLayout::views`].
    pub fn new(flat: Tensor, layout: &ArenaLayout) -> Result<Self, TorchError> {
        let leaf = |view: Tensor| Ok(view.f_detach()?.f_set_requires_grad(true)?);
        let leaves = layout
            .views(&flat)?
            .into_iter()
            .map(leaf)
            .collect::<Result<_, TorchError>>()?;
        Ok(Self { flat, leaves })
    }

    /// An arena of zeros.
    ///
    /// # Errors
    ///
    /// When the device has no room.
    pub fn zeros(layout: &ArenaLayout, options: (Kind, Device)) -> Result<Self, TorchError> {
        Self::new(layout.zeros(options)?, layout)
    }
}

/// A copy with storage of its own.
pub(crate) fn copy(tensor: &Tensor) -> Result<Tensor, TorchError> {
    let mut copy = tensor.f_empty_like()?;
    copy.f_copy_(tensor)?;
    Ok(copy)
}
