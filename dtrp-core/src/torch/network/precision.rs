//! The arithmetic of forward and backward passes.

use crate::torch::TorchError;
use crate::torch::shim::check;
use dtrp_text::words;
use std::ffi::{c_char, c_int};
use tch::{Device, Kind};

unsafe extern "C" {
    fn dtrp_autocast(cuda: c_int, on: c_int) -> *mut c_char;
    fn dtrp_allow_tf32(allow: c_int) -> *mut c_char;
}

/// The element type of weights, gradients and optimizer state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dtype {
    /// 32-bit floats.
    #[default]
    F32,
    /// 64-bit floats: for comparisons, not for speed.
    F64,
}

words!(Dtype, "element type", [F32 "f32", F64 "f64"]);

impl Dtype {
    /// libtorch's name of it.
    pub fn kind(self) -> Kind {
        match self {
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
        }
    }

    /// Size of an element, in bytes.
    pub fn bytes(self) -> usize {
        self.kind().elt_size_in_bytes()
    }
}

/// How a module computes with weights of type f32. The weights, their gradients and the optimizer stay f32 in all cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// As the weights are.
    #[default]
    F32,
    /// As the weights are, but products on a GPU may have 10 bits of mantissa. That is a switch of the whole process, not of
    /// a module: whoever sets up a run calls [`allow_tf32`].
    Tf32,
    /// Convolutions and matrix products in bf16, by libtorch's autocast; activations and their gradients travel as bf16
    /// too. Statistics, the loss and sums over a batch are f32.
    Bf16,
}

words!(Precision, "precision", [F32 "f32", Tf32 "tf32", Bf16 "bf16"]);

impl Precision {
    /// Runs a forward pass in this precision.
    pub(super) fn during<T>(
        self,
        device: Device,
        body: impl FnOnce() -> Result<T, TorchError>,
    ) -> Result<T, TorchError> {
        let _autocast = match self {
            Precision::F32 | Precision::Tf32 => None,
            Precision::Bf16 => Some(Autocast::on(device)?),
        };
        body()
    }
}

/// Autocast in the calling thread, until it is dropped.
struct Autocast(c_int);

impl Autocast {
    fn on(device: Device) -> Result<Self, TorchError> {
        let cuda = c_int::from(device != Device::Cpu);
        // SAFETY: sets flags of the calling thread.
        check("autocast", unsafe { dtrp_autocast(cuda, 1) })?;
        Ok(Self(cuda))
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // SAFETY: as above. Turning it off cannot fail where turning it on did not.
        let error = unsafe { dtrp_autocast(self.0, 0) };
        let _ = check("autocast", error);
    }
}

/// Whether GPUs may compute products of f32 numbers with 10 bits of mantissa (TF32). It holds for the whole process, and
/// libtorch's default is yes for convolutions, so a run that wants full f32 has to say no.
///
/// # Errors
///
/// Those of libtorch.
pub fn allow_tf32(allow: bool) -> Result<(), TorchError> {
    // SAFETY: sets flags.
    check("TF32", unsafe { dtrp_allow_tf32(c_int::from(allow)) })
}
