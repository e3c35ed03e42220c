//! For tests: GPUs that are simulated on the host.
//!
//! A program that is linked with this crate and a libtorch for CPUs sees two GPUs, cuda:0 and cuda:1. What is computed on
//! them is computed on the CPU, at once and by the CPU's own operators; what it does with streams, events and memory is
//! checked as on a real device, where all of it is asynchronous:
//!
//! * Every stream, every event and the host have a vector clock. Two accesses of one tensor's memory from two streams, one
//!   of them a write, must be ordered by an event or by the host waiting; else it is a [`races`] entry.
//! * Memory that is dropped while a stream other than the one it was allocated on may still use it, and that the allocator
//!   was not told of, is another.
//! * Numbers copied to the host arrive late: until the host has waited or asked, they are NaN.
//! * Wherever the host has to wait for a device, it is counted.
//!
//! With a libtorch for CUDA there is no simulation ([`AVAILABLE`] is false).
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes,
    reason = "plain C functions without arguments that could be wrong"
)]

/// Whether GPUs are simulated.
pub const AVAILABLE: bool = cfg!(simulated);

/// How often the host waited for a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    /// Inside an operator: a number was read, or a tensor was copied to or from memory that is not pinned.
    pub hidden: u64,
    /// For a stream.
    pub streams: u64,
    /// For an event.
    pub events: u64,
}

#[cfg(simulated)]
mod simulated {
    use super::Waits;
    use std::ffi::{CStr, c_char};

    unsafe extern "C" {
        fn simulated_gpu_race(index: usize) -> *const c_char;
        fn simulated_gpu_waits(counts: *mut u64);
        fn simulated_gpu_reset();
        fn simulated_gpu_backward_threads() -> usize;
        fn simulated_gpu_bytes(gpu: i32) -> i64;
    }

    /// What would have gone wrong since the last [`reset`], each in a line; the first 100.
    pub fn races() -> Vec<String> {
        (0..)
            .map(|index| unsafe { simulated_gpu_race(index) })
            .take_while(|text| !text.is_null())
            .map(|text| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
            .collect()
    }

    /// How often the host has waited since the last [`reset`].
    pub fn waits() -> Waits {
        let mut counts = [0; 3];
        unsafe { simulated_gpu_waits(counts.as_mut_ptr()) };
        let [hidden, streams, events] = counts;
        Waits {
            hidden,
            streams,
            events,
        }
    }

    /// Forgets races and waits, not the tensors.
    pub fn reset() {
        unsafe { simulated_gpu_reset() }
    }

    /// Threads in which backward operators have run since the last [`reset`].
    pub fn backward_threads() -> usize {
        unsafe { simulated_gpu_backward_threads() }
    }

    /// Bytes of the tensors on a GPU.
    pub fn bytes(gpu: i32) -> i64 {
        unsafe { simulated_gpu_bytes(gpu) }
    }
}

#[cfg(not(simulated))]
mod simulated {
    use super::Waits;

    /// Nothing is noticed.
    pub fn races() -> Vec<String> {
        Vec::new()
    }

    /// Nothing is counted.
    pub fn waits() -> Waits {
        Waits::default()
    }

    /// There is nothing to forget.
    pub fn reset() {}

    /// Nothing is counted.
    pub fn backward_threads() -> usize {
        0
    }

    /// Nothing is counted.
    pub fn bytes(_: i32) -> i64 {
        0
    }
}

pub use simulated::{backward_threads, bytes, races, reset, waits};
