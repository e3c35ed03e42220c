//! Why a network cannot be cut.

/// An error of the partitioner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// Every module needs a block.
    #[error("{blocks} blocks cannot be cut into {modules} modules; take from 1 to {blocks}")]
    Modules {
        /// Blocks that there are.
        blocks: usize,
        /// Modules asked for.
        modules: usize,
    },
    /// The memory budget is too small, whatever the cuts.
    #[error(
        "{modules} modules cannot be made with {budget} bytes of memory a worker: the least that is enough is {least} \
         bytes; take smaller batches, more modules or another method"
    )]
    Memory {
        /// The budget, in bytes.
        budget: u64,
        /// The smallest budget that is enough, in bytes.
        least: u64,
        /// Modules asked for.
        modules: usize,
    },
}
