//! The Rust side of `shim.cpp`.

use super::TorchError;
use std::ffi::{CStr, c_char, c_int};
use tch::Tensor;

/// A C++ `at::Tensor`, as torch-sys passes it.
pub(super) type CTensor = std::ffi::c_void;

unsafe extern "C" {
    fn dtrp_free(text: *mut c_char);
    fn dtrp_add_scaled(y: *mut CTensor, x: *const CTensor, alpha: f64) -> *mut c_char;
    fn dtrp_copy_all(to: *const *const CTensor, from: *const *const CTensor, count: usize, add: c_int) -> *mut c_char;
    fn dtrp_flush_denormals(on: c_int) -> c_int;
    fn dtrp_build_information() -> *mut c_char;
    fn dtrp_parallel_information() -> *mut c_char;
}

/// Takes over a text of the shim.
pub(super) fn text(raw: *mut c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    // SAFETY: the shim returns null or a NUL-terminated string made by strdup, which nobody else holds.
    unsafe {
        let text = CStr::from_ptr(raw).to_string_lossy().into_owned();
        dtrp_free(raw);
        text
    }
}

pub(super) fn check(what: &'static str, error: *mut c_char) -> Result<(), TorchError> {
    if error.is_null() {
        return Ok(());
    }
    Err(TorchError::Libtorch {
        what,
        message: text(error),
    })
}

/// `y += alpha * x`, in place.
pub(crate) fn add_scaled(y: &mut Tensor, x: &Tensor, alpha: f64) -> Result<(), TorchError> {
    // SAFETY: both are live tensors.
    check("add", unsafe {
        dtrp_add_scaled(y.as_mut_ptr().cast(), x.as_ptr().cast(), alpha)
    })
}

/// Copies each tensor of `from` into that of `to`, in a few operations for all of them where the device can.
pub(super) fn copy_all(to: &[Tensor], from: &[Tensor]) -> Result<(), TorchError> {
    all(to, from, false)
}

/// Adds each tensor of `from` to that of `to`, likewise.
pub(super) fn add_all(to: &[Tensor], from: &[Tensor]) -> Result<(), TorchError> {
    all(to, from, true)
}

fn all(to: &[Tensor], from: &[Tensor], add: bool) -> Result<(), TorchError> {
    let pointers = |tensors: &[Tensor]| -> Vec<*const CTensor> { tensors.iter().map(|t| t.as_ptr().cast()).collect() };
    let (to, from) = (pointers(to), pointers(from));
    let count = to.len().min(from.len());
    // SAFETY: `count` pointers to live tensors in each.
    check("copying gradients", unsafe {
        dtrp_copy_all(to.as_ptr(), from.as_ptr(), count, c_int::from(add))
    })
}

/// Makes denormal numbers of the calling thread 0 (or not); false if the processor cannot.
pub fn flush_denormals(on: bool) -> bool {
    // SAFETY: sets a flag of the calling thread's processor state.
    unsafe { dtrp_flush_denormals(c_int::from(on)) != 0 }
}

/// What libtorch says of its build: versions, libraries, flags.
pub fn build_information() -> String {
    // SAFETY: returns a string of its own.
    text(unsafe { dtrp_build_information() })
}

/// What libtorch says of its threads.
pub fn parallel_information() -> String {
    // SAFETY: returns a string of its own.
    text(unsafe { dtrp_parallel_information() })
}
