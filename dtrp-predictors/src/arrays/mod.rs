//! The arrays of one call: what a predictor reads, and where its prediction goes, on a CPU or on a GPU.

mod real;

pub use real::Real;

use crate::PredictorError;
use std::ffi::c_void;
use std::ops::Deref;

/// What a prediction may read, all of one length n. Absent inputs count as zeros: before its first update a module
/// has no momentum buffer, no gradient and no displacement.
#[derive(Debug, Clone, Copy)]
pub struct Views<'a, T> {
    /// w.
    pub weights: &'a [T],
    /// d.
    pub direction: Option<&'a [T]>,
    /// g.
    pub gradient: Option<&'a [T]>,
    /// Δ.
    pub displacement: Option<&'a [T]>,
}

impl<'a, T> Views<'a, T> {
    /// Only the weights, everything else absent.
    pub fn of(weights: &'a [T]) -> Self {
        Self {
            weights,
            direction: None,
            gradient: None,
            displacement: None,
        }
    }
}

/// What a predictor reads in one call of [`predict`](crate::Predictor::predict) or [`observe`](crate::Predictor::observe).
///
/// Work that is the same for both number types is written once, for any [`Real`].
#[derive(Debug, Clone, Copy)]
pub enum Arrays<'a> {
    /// Slices in host memory, in single precision.
    F32(Views<'a, f32>),
    /// Slices in host memory, in double precision.
    F64(Views<'a, f64>),
    /// Arrays in the memory of a GPU. Only predictors that say [`on_gpu`](crate::Predictor::on_gpu) get these.
    Device(&'a GpuArrays),
}

/// Where a prediction goes: as many elements as there are weights, of the same type and in the same memory, with arbitrary
/// content. All of it is to be written. It overlaps no input.
#[derive(Debug)]
pub enum Output<'a> {
    /// For [`Arrays::F32`].
    F32(&'a mut [f32]),
    /// For [`Arrays::F64`].
    F64(&'a mut [f64]),
    /// For [`Arrays::Device`].
    Device(GpuOutput),
}

impl Arrays<'_> {
    /// Number of weights.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(views) => views.weights.len(),
            Self::F64(views) => views.weights.len(),
            Self::Device(arrays) => arrays.len,
        }
    }

    /// Whether there are no weights.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a predictor answers that cannot work on these: [`PredictorError::Unsupported`].
    pub fn unsupported(&self, predictor: &str) -> PredictorError {
        PredictorError::Unsupported {
            predictor: predictor.to_owned(),
            arrays: match self {
                Self::F32(_) => f32::NAME,
                Self::F64(_) => f64::NAME,
                Self::Device(_) => "GPU",
            },
        }
    }
}

impl<'a> From<Views<'a, f32>> for Arrays<'a> {
    fn from(views: Views<'a, f32>) -> Self {
        Self::F32(views)
    }
}

impl<'a> From<Views<'a, f64>> for Arrays<'a> {
    fn from(views: Views<'a, f64>) -> Self {
        Self::F64(views)
    }
}

/// Flat arrays in the memory of one GPU: what [`Views`] are on a CPU. Looking at the pointers is safe; what they lead to is
/// for code of that GPU, on that stream.
#[derive(Debug, Clone, Copy)]
pub struct GpuPointers {
    /// N of cuda:N.
    pub gpu: i32,
    /// The `cudaStream_t` to enqueue on, without synchronising.
    pub stream: *mut c_void,
    /// Bits of an element: 32 or 64.
    pub bits: u8,
    /// Elements of each array.
    pub len: usize,
    /// w.
    pub weights: *const c_void,
    /// d, or null.
    pub direction: *const c_void,
    /// g, or null.
    pub gradient: *const c_void,
    /// Δ, or null.
    pub displacement: *const c_void,
}

/// [`GpuPointers`] that a host vouches for. So a predictor need not be called `unsafe`, only what it does with them is.
#[derive(Debug)]
pub struct GpuArrays(GpuPointers);

impl GpuArrays {
    /// Vouches for the pointers.
    ///
    /// # Safety
    ///
    /// As long as the result exists the pointers lead to `len` elements of `bits` bits each in the memory of that GPU, or
    /// are null where an input does not exist, and work on that stream may read them.
    pub unsafe fn new(pointers: GpuPointers) -> Self {
        Self(pointers)
    }
}

impl Deref for GpuArrays {
    type Target = GpuPointers;

    fn deref(&self) -> &GpuPointers {
        &self.0
    }
}

/// The memory of a GPU that a prediction goes to, which a host vouches for.
#[derive(Debug)]
pub struct GpuOutput(*mut c_void);

impl GpuOutput {
    /// Vouches for the pointer.
    ///
    /// # Safety
    ///
    /// As long as the result exists `data` leads to as many elements, of the same type and on the same GPU, as the arrays
    /// that it is passed together with; it overlaps none of them, and work on their stream may write it.
    pub unsafe fn new(data: *mut c_void) -> Self {
        Self(data)
    }

    /// The first element.
    pub fn data(&self) -> *mut c_void {
        self.0
    }
}
