//! Backward work: vector-Jacobian products, and the threads that do them on a GPU.

use crate::torch::TorchError;
use crate::torch::shim::{CTensor, check};
use std::ffi::{c_char, c_void};
use std::ptr::NonNull;
use tch::Tensor;

unsafe extern "C" {
    fn dtrp_engine_new(engine: *mut *mut c_void) -> *mut c_char;
    fn dtrp_engine_free(engine: *mut c_void);
    fn dtrp_vjp(
        engine: *mut c_void,
        outputs: *const *const CTensor,
        deltas: *const *const CTensor,
        roots: usize,
        inputs: *const *const CTensor,
        count: usize,
        results: *mut *mut CTensor,
    ) -> *mut c_char;
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
pub(crate) struct Engine(NonNull<c_void>);

// SAFETY: an engine has locks of its own: libtorch's is used by all threads of a process.
unsafe impl Send for Engine {}

impl Engine {
    /// Starts the threads.
    pub(crate) fn new() -> Result<Self, TorchError> {
        let mut engine = std::ptr::null_mut();
        // SAFETY: `engine` outlives the call.
        check("backward engine", unsafe { dtrp_engine_new(&mut engine) })?;
        NonNull::new(engine).map(Self).ok_or(TorchError::Libtorch {
            what: "backward engine",
            message: "there is none".to_owned(),
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: made by dtrp_engine_new and owned alone; nothing executes, since executing borrows it.
        unsafe { dtrp_engine_free(self.0.as_ptr()) }
    }
}

/// Vector-Jacobian product: the gradients of the `outputs`, each seeded with the δ beside it (for a scalar `None` means 1), with
/// respect to each of `inputs`. The graph is freed. An output without a graph has none to give; an input on which no output
/// depends gives `None`. Without an engine libtorch's own executes it.
pub(crate) fn vjp(
    engine: Option<&Engine>,
    outputs: &[(&Tensor, Option<&Tensor>)],
    inputs: &[&Tensor],
) -> Result<Vec<Option<Tensor>>, TorchError> {
    let roots: Vec<*const CTensor> = outputs.iter().map(|(output, _)| output.as_ptr().cast()).collect();
    let deltas = outputs.iter().map(|(_, delta)| delta.as_ref());
    let deltas: Vec<*const CTensor> = deltas
        .map(|delta| delta.map_or(std::ptr::null(), |t| t.as_ptr().cast()))
        .collect();
    let leaves: Vec<*const CTensor> = inputs.iter().map(|t| t.as_ptr().cast()).collect();
    let mut results = vec![std::ptr::null_mut(); leaves.len()];
    // SAFETY: all pointers are null or to live tensors, and `results` has room for one result of each input.
    let error = unsafe {
        dtrp_vjp(
            engine.map_or(std::ptr::null_mut(), |engine| engine.0.as_ptr()),
            roots.as_ptr(),
            deltas.as_ptr(),
            roots.len(),
            leaves.as_ptr(),
            leaves.len(),
            results.as_mut_ptr(),
        )
    };
    // SAFETY: each non-null result is a tensor newly made for us.
    let own = |raw: *mut CTensor| (!raw.is_null()).then(|| unsafe { Tensor::from_ptr(raw.cast()) });
    let grads = results.into_iter().map(own).collect();
    check("vector-Jacobian product", error)?;
    Ok(grads)
}
