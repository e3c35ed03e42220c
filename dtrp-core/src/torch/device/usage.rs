//! How a GPU is used: its memory, and operators that make the host wait.

use super::gpu;
use crate::torch::TorchError;
use crate::torch::shim::check;
use std::ffi::{c_char, c_int};
use tch::Device;

unsafe extern "C" {
    fn dtrp_device_memory(index: c_int, allocated: *mut i64, peak: *mut i64, reserved: *mut i64) -> *mut c_char;
    fn dtrp_device_room(index: c_int, free: *mut i64, total: *mut i64) -> *mut c_char;
    fn dtrp_on_synchronize(level: c_int) -> c_int;
}

/// Memory of a GPU, in bytes, as libtorch's allocator counts it: for the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Of all tensors.
    pub allocated: u64,
    /// Of all tensors, at most so far.
    pub peak: u64,
    /// Had from the driver, and kept for tensors to come.
    pub reserved: u64,
}

impl DeviceMemory {
    /// Of a device; `None` if it is no GPU.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn of(device: Device) -> Result<Option<Self>, TorchError> {
        let Some(gpu) = gpu(device) else {
            return Ok(None);
        };
        let (mut allocated, mut peak, mut reserved) = (0, 0, 0);
        // SAFETY: the numbers outlive the call.
        check("memory statistics", unsafe {
            dtrp_device_memory(gpu, &mut allocated, &mut peak, &mut reserved)
        })?;
        let bytes = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Some(Self {
            allocated: bytes(allocated),
            peak: bytes(peak),
            reserved: bytes(reserved),
        }))
    }
}

/// How large the memory of a GPU is, in bytes, as its driver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRoom {
    /// That no process has.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

impl DeviceRoom {
    /// Of a device; `None` if it is no GPU.
    ///
    /// # Errors
    ///
    /// Those of libtorch, and where the allocator in use does not say.
    pub fn of(device: Device) -> Result<Option<Self>, TorchError> {
        let Some(gpu) = gpu(device) else {
            return Ok(None);
        };
        let (mut free, mut total) = (0, 0);
        // SAFETY: the numbers outlive the call.
        check("the size of a GPU's memory", unsafe {
            dtrp_device_room(gpu, &mut free, &mut total)
        })?;
        let bytes = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Some(Self {
            free: bytes(free),
            total: bytes(total),
        }))
    }
}

/// What libtorch does where an operator makes the host wait for a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSynchronize {
    /// Nothing.
    Allow,
    /// Warns on the standard error.
    Warn,
    /// The operator fails.
    Fail,
}

impl OnSynchronize {
    /// Sets it for the whole process; false if this libtorch cannot, as one for CPUs cannot. It does not concern waiting for
    /// events.
    pub fn set(self) -> bool {
        let level = match self {
            OnSynchronize::Allow => 0,
            OnSynchronize::Warn => 1,
            OnSynchronize::Fail => 2,
        };
        // SAFETY: sets a variable of libtorch's.
        unsafe { dtrp_on_synchronize(level) != 0 }
    }
}
