//! Copies between a GPU and the host, through pinned memory, and the memory that streams share.

use crate::torch::TorchError;
use crate::torch::shim::{CTensor, check};
use std::ffi::{c_char, c_int};
use tch::Tensor;

unsafe extern "C" {
    fn dtrp_record_stream(tensor: *const CTensor) -> *mut c_char;
    fn dtrp_host_copy(tensor: *const CTensor, as_double: c_int, host: *mut *mut CTensor) -> *mut c_char;
    fn dtrp_pin(tensor: *const CTensor, pinned: *mut *mut CTensor) -> *mut c_char;
    fn dtrp_to_device(tensor: *const CTensor, index: c_int, copy: *mut *mut CTensor) -> *mut c_char;
}

/// Keeps the memory of a tensor from being used again before the calling thread's stream is done with it.
pub(crate) fn record_stream(tensor: &Tensor) -> Result<(), TorchError> {
    // SAFETY: a live tensor, here and below.
    check("stream", unsafe { dtrp_record_stream(tensor.as_ptr().cast()) })
}

/// Calls a function that makes one tensor.
fn made(what: &'static str, call: impl FnOnce(*mut *mut CTensor) -> *mut c_char) -> Result<Tensor, TorchError> {
    let mut raw: *mut CTensor = std::ptr::null_mut();
    check(what, call(&mut raw))?;
    // SAFETY: where it reports no error, the shim has made a tensor, which is ours.
    Ok(unsafe { Tensor::from_ptr(raw.cast()) })
}

/// Starts to copy a tensor into pinned host memory, as doubles or as it is.
pub(crate) fn host_copy(tensor: &Tensor, as_double: bool) -> Result<Tensor, TorchError> {
    // SAFETY: as above.
    made("reading back", |raw| unsafe {
        dtrp_host_copy(tensor.as_ptr().cast(), c_int::from(as_double), raw)
    })
}

/// A copy of a tensor in pinned host memory.
pub(crate) fn pin(tensor: &Tensor) -> Result<Tensor, TorchError> {
    // SAFETY: as above.
    made("pinned memory", |raw| unsafe { dtrp_pin(tensor.as_ptr().cast(), raw) })
}

/// The tensor on a GPU; the host does not wait for the copy if the tensor is pinned or on a GPU.
pub(crate) fn to_gpu(tensor: &Tensor, gpu: c_int) -> Result<Tensor, TorchError> {
    // SAFETY: as above.
    made("copying to the device", |raw| unsafe {
        dtrp_to_device(tensor.as_ptr().cast(), gpu, raw)
    })
}
