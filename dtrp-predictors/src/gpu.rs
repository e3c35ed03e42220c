//! Arrays in the memory of a GPU, for predictors that run there.

use std::ffi::c_void;

/// The flat arrays of one call, in the memory of one GPU: what [`Views`](crate::Views) are on a CPU. Pointers of inputs that
/// do not exist are null.
#[derive(Debug, Clone, Copy)]
pub struct GpuArrays {
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
    /// d.
    pub direction: *const c_void,
    /// g.
    pub gradient: *const c_void,
    /// Δ.
    pub displacement: *const c_void,
}
