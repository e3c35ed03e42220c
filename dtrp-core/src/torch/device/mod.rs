//! Where work happens: streams, events and backward threads of a GPU, and what travels between devices.
//!
//! The C++ side is `device.cpp`. On a CPU a message is a tensor and nothing else, and a number is read at once.

mod backward;
mod copies;
mod fault;
mod lane;
mod message;
mod readback;
mod streams;
mod usage;

pub use fault::{GpuFault, OutOfMemory};
pub use message::{Message, Upload};
pub use readback::HostReads;
pub use usage::{DeviceMemory, DeviceRoom, OnSynchronize};

pub(super) use backward::vjp;
pub(super) use copies::{host_copy, pin, to_gpu};
pub(super) use lane::Lane;
pub(super) use readback::Readback;
pub(super) use streams::{Event, Stream, gpu};
