//! The Rust side of `device.cpp`: streams, events and backward threads of a GPU.
//!
//! A *stream* is a queue of work on a device; a thread gives its work to the stream that it has chosen there. An *event* is a
//! mark in a stream that other streams, or the host, can wait for. Nothing here is ever made for a CPU.

use super::error::TorchError;
use super::shim::{CTensor, check};
use std::ffi::{c_char, c_int, c_void};
use std::ptr::NonNull;
use tch::{Device, Tensor};

unsafe extern "C" {
    fn dtrp_stream_from_pool(index: c_int, id: *mut i64) -> *mut c_char;
    fn dtrp_stream_exchange(index: c_int, id: i64, before: *mut i64) -> *mut c_char;
    fn dtrp_stream_native(index: c_int, native: *mut *mut c_void) -> *mut c_char;
    fn dtrp_stream_synchronize(index: c_int, id: i64) -> *mut c_char;
    fn dtrp_default_stream_synchronize(index: c_int) -> *mut c_char;
    fn dtrp_event_record(index: c_int, event: *mut *mut c_void) -> *mut c_char;
    fn dtrp_event_block(event: *const c_void, index: c_int) -> *mut c_char;
    fn dtrp_event_query(event: *const c_void, happened: *mut c_int) -> *mut c_char;
    fn dtrp_event_synchronize(event: *const c_void) -> *mut c_char;
    fn dtrp_event_free(event: *mut c_void);
    fn dtrp_record_stream(tensor: *const CTensor) -> *mut c_char;
    fn dtrp_host_copy(tensor: *const CTensor, as_double: c_int, host: *mut *mut CTensor) -> *mut c_char;
    fn dtrp_pin(tensor: *const CTensor, pinned: *mut *mut CTensor) -> *mut c_char;
    fn dtrp_to_device(tensor: *const CTensor, index: c_int, copy: *mut *mut CTensor) -> *mut c_char;
    fn dtrp_device_memory(index: c_int, allocated: *mut i64, peak: *mut i64, reserved: *mut i64) -> *mut c_char;
    fn dtrp_on_synchronize(level: c_int) -> c_int;
    fn dtrp_engine_new(engine: *mut *mut c_void) -> *mut c_char;
    fn dtrp_engine_free(engine: *mut c_void);
}

/// The number N of a GPU cuda:N; `None` for a CPU.
pub(super) fn gpu(device: Device) -> Option<c_int> {
    match device {
        Device::Cuda(index) => c_int::try_from(index).ok(),
        _ => None,
    }
}

/// A stream of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stream {
    gpu: c_int,
    id: i64,
}

impl Stream {
    /// One of libtorch's pool, which has 32 a device and hands them out in turn.
    pub(super) fn from_pool(gpu: c_int) -> Result<Self, TorchError> {
        let mut id = 0;
        // SAFETY: `id` outlives the call, here and below.
        check("stream", unsafe { dtrp_stream_from_pool(gpu, &mut id) })?;
        Ok(Self { gpu, id })
    }

    /// Makes the calling thread use this stream from now on, and its GPU; returns the stream that it used before.
    pub(super) fn enter(self) -> Result<Self, TorchError> {
        let mut id = 0;
        // SAFETY: the stream comes from libtorch.
        check("stream", unsafe { dtrp_stream_exchange(self.gpu, self.id, &mut id) })?;
        Ok(Self { gpu: self.gpu, id })
    }

    /// The calling thread's stream on a GPU as a `cudaStream_t`.
    pub(super) fn native(gpu: c_int) -> Result<*mut c_void, TorchError> {
        let mut native = std::ptr::null_mut();
        // SAFETY: `native` outlives the call.
        check("stream", unsafe { dtrp_stream_native(gpu, &mut native) })?;
        Ok(native)
    }

    /// Runs `body` with this stream as the calling thread's.
    pub(super) fn during<T>(self, body: impl FnOnce() -> Result<T, TorchError>) -> Result<T, TorchError> {
        let before = self.enter()?;
        let result = body();
        before.enter()?;
        result
    }

    /// The host waits until all work given to it is done.
    pub(super) fn synchronize(self) -> Result<(), TorchError> {
        // SAFETY: the stream comes from libtorch.
        check("waiting for a stream", unsafe {
            dtrp_stream_synchronize(self.gpu, self.id)
        })
    }

    /// The host waits for what threads that chose no stream have given to the GPU.
    pub(super) fn synchronize_default(gpu: c_int) -> Result<(), TorchError> {
        // SAFETY: takes a number.
        check("waiting for a stream", unsafe { dtrp_default_stream_synchronize(gpu) })
    }
}

/// A mark in a stream.
#[derive(Debug)]
pub(super) struct Event(NonNull<c_void>);

// SAFETY: an event is recorded once, before it is shared; waiting for it and asking for it change nothing in it.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// Marks the end of what the calling thread has given to its stream on the GPU so far.
    pub(super) fn record(gpu: c_int) -> Result<Self, TorchError> {
        let mut event = std::ptr::null_mut();
        // SAFETY: `event` outlives the call.
        check("event", unsafe { dtrp_event_record(gpu, &mut event) })?;
        NonNull::new(event).map(Self).ok_or(TorchError::Libtorch {
            what: "event",
            message: "there is none".to_owned(),
        })
    }

    /// What the calling thread gives to its stream on the GPU from now on waits for the event. The host does not.
    pub(super) fn block(&self, gpu: c_int) -> Result<(), TorchError> {
        // SAFETY: a live event, here and below.
        check("event", unsafe { dtrp_event_block(self.0.as_ptr(), gpu) })
    }

    /// Whether it has happened.
    pub(super) fn happened(&self) -> Result<bool, TorchError> {
        let mut happened = 0;
        // SAFETY: as above.
        check("event", unsafe { dtrp_event_query(self.0.as_ptr(), &mut happened) })?;
        Ok(happened != 0)
    }

    /// The host waits for it.
    pub(super) fn synchronize(&self) -> Result<(), TorchError> {
        // SAFETY: as above.
        check("event", unsafe { dtrp_event_synchronize(self.0.as_ptr()) })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: made by dtrp_event_record and owned alone.
        unsafe { dtrp_event_free(self.0.as_ptr()) }
    }
}

/// Threads that do backward work, one a GPU.
///
/// libtorch 2.11 executes all backward work of a GPU in a single thread of the process, so workers on one GPU would queue
/// behind each other's kernel launches. Its Python front end replaces the engine by a subclass; so does the shim, once for
/// every worker. The engine starts threads for its first user only (a static flag inside
/// `Engine::initialize_device_threads_pool`), which is why the subclass starts its own. The thread of a GPU works on the
/// stream that the forward ran on: the worker's. On a CPU backward runs in the calling thread, whatever the engine, so
/// there workers never wait for each other and use libtorch's.
#[derive(Debug)]
pub(super) struct Engine(NonNull<c_void>);

// SAFETY: an engine has locks of its own: libtorch's is used by all threads of a process.
unsafe impl Send for Engine {}

impl Engine {
    /// Starts the threads.
    pub(super) fn new() -> Result<Self, TorchError> {
        let mut engine = std::ptr::null_mut();
        // SAFETY: `engine` outlives the call.
        check("backward engine", unsafe { dtrp_engine_new(&mut engine) })?;
        NonNull::new(engine).map(Self).ok_or(TorchError::Libtorch {
            what: "backward engine",
            message: "there is none".to_owned(),
        })
    }

    /// For the shim.
    pub(super) fn as_ptr(&self) -> *mut c_void {
        self.0.as_ptr()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: made by dtrp_engine_new and owned alone; nothing executes, since executing borrows it.
        unsafe { dtrp_engine_free(self.0.as_ptr()) }
    }
}

/// Keeps the memory of a tensor from being used again before the calling thread's stream is done with it.
pub(super) fn record_stream(tensor: &Tensor) -> Result<(), TorchError> {
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
pub(super) fn host_copy(tensor: &Tensor, as_double: bool) -> Result<Tensor, TorchError> {
    // SAFETY: as above.
    made("reading back", |raw| unsafe {
        dtrp_host_copy(tensor.as_ptr().cast(), c_int::from(as_double), raw)
    })
}

/// A copy of a tensor in pinned host memory.
pub(super) fn pin(tensor: &Tensor) -> Result<Tensor, TorchError> {
    // SAFETY: as above.
    made("pinned memory", |raw| unsafe { dtrp_pin(tensor.as_ptr().cast(), raw) })
}

/// The tensor on a GPU; the host does not wait for the copy if the tensor is pinned or on a GPU.
pub(super) fn to_gpu(tensor: &Tensor, gpu: c_int) -> Result<Tensor, TorchError> {
    // SAFETY: as above.
    made("copying to the device", |raw| unsafe {
        dtrp_to_device(tensor.as_ptr().cast(), gpu, raw)
    })
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
