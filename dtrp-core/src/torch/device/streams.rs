//! Streams and events of a GPU.
//!
//! A *stream* is a queue of work on a device; a thread gives its work to the stream that it has chosen there. An *event* is a
//! mark in a stream that other streams, or the host, can wait for. Nothing here is ever made for a CPU.

use crate::torch::TorchError;
use crate::torch::shim::check;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::NonNull;
use tch::Device;

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
}

/// The number N of a GPU cuda:N; `None` for a CPU.
pub(crate) fn gpu(device: Device) -> Option<c_int> {
    match device {
        Device::Cuda(index) => c_int::try_from(index).ok(),
        _ => None,
    }
}

/// A stream of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stream {
    gpu: c_int,
    id: i64,
}

impl Stream {
    /// One of libtorch's pool, which has 32 a device and hands them out in turn.
    pub(crate) fn from_pool(gpu: c_int) -> Result<Self, TorchError> {
        let mut id = 0;
        // SAFETY: `id` outlives the call, here and below.
        check("stream", unsafe { dtrp_stream_from_pool(gpu, &mut id) })?;
        Ok(Self { gpu, id })
    }

    /// Makes the calling thread use this stream from now on, and its GPU; returns the stream that it used before.
    pub(crate) fn enter(self) -> Result<Self, TorchError> {
        let mut id = 0;
        // SAFETY: the stream comes from libtorch.
        check("stream", unsafe { dtrp_stream_exchange(self.gpu, self.id, &mut id) })?;
        Ok(Self { gpu: self.gpu, id })
    }

    /// The calling thread's stream on a GPU as a `cudaStream_t`.
    pub(crate) fn native(gpu: c_int) -> Result<*mut c_void, TorchError> {
        let mut native = std::ptr::null_mut();
        // SAFETY: `native` outlives the call.
        check("stream", unsafe { dtrp_stream_native(gpu, &mut native) })?;
        Ok(native)
    }

    /// Runs `body` with this stream as the calling thread's.
    pub(crate) fn during<T>(self, body: impl FnOnce() -> Result<T, TorchError>) -> Result<T, TorchError> {
        let before = self.enter()?;
        let result = body();
        before.enter()?;
        result
    }

    /// The host waits until all work given to it is done.
    pub(crate) fn synchronize(self) -> Result<(), TorchError> {
        // SAFETY: the stream comes from libtorch.
        check("waiting for a stream", unsafe {
            dtrp_stream_synchronize(self.gpu, self.id)
        })
    }

    /// The host waits for what threads that chose no stream have given to the GPU.
    pub(crate) fn synchronize_default(gpu: c_int) -> Result<(), TorchError> {
        // SAFETY: takes a number.
        check("waiting for a stream", unsafe { dtrp_default_stream_synchronize(gpu) })
    }
}

/// A mark in a stream.
#[derive(Debug)]
pub(crate) struct Event(NonNull<c_void>);

// SAFETY: an event is recorded once, before it is shared; waiting for it and asking for it change nothing in it.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// Marks the end of what the calling thread has given to its stream on the GPU so far.
    pub(crate) fn record(gpu: c_int) -> Result<Self, TorchError> {
        let mut event = std::ptr::null_mut();
        // SAFETY: `event` outlives the call.
        check("event", unsafe { dtrp_event_record(gpu, &mut event) })?;
        NonNull::new(event).map(Self).ok_or(TorchError::Libtorch {
            what: "event",
            message: "there is none".to_owned(),
        })
    }

    /// What the calling thread gives to its stream on the GPU from now on waits for the event. The host does not.
    pub(crate) fn block(&self, gpu: c_int) -> Result<(), TorchError> {
        // SAFETY: a live event, here and below.
        check("event", unsafe { dtrp_event_block(self.0.as_ptr(), gpu) })
    }

    /// Whether it has happened.
    pub(crate) fn happened(&self) -> Result<bool, TorchError> {
        let mut happened = 0;
        // SAFETY: as above.
        check("event", unsafe { dtrp_event_query(self.0.as_ptr(), &mut happened) })?;
        Ok(happened != 0)
    }

    /// The host waits for it.
    pub(crate) fn synchronize(&self) -> Result<(), TorchError> {
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
