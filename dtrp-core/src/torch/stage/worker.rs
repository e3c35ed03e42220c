//! What must be set in every thread that executes a module.

use crate::torch::shim::flush_denormals;

/// The settings of a worker's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerThread {
    /// Threads inside one operator (intra-op); 1 leaves the other cores to the other workers.
    pub threads: i32,
}

impl WorkerThread {
    /// Applies the settings to the calling thread. Denormal numbers become 0: they carry nothing and cost hundreds of
    /// cycles each.
    pub fn enter(&self) {
        tch::set_num_threads(self.threads);
        flush_denormals(true);
    }
}
