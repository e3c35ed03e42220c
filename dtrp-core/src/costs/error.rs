//! What can be wrong with costs.

/// Why there are no costs of these modules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostsError {
    /// A number is none that a machine could have measured.
    #[error("{place} is {value}, but must be {expected}")]
    Value {
        /// Which number, as `blocks[3].forward_ns`.
        place: String,
        /// What it is.
        value: u64,
        /// What it may be.
        expected: String,
    },
    /// The blocks cannot be cut into modules like that.
    #[error(
        "{ranges} do not cut {blocks} blocks into modules: they must follow one another, none empty, from 0 to {blocks}"
    )]
    Cuts {
        /// The ranges of blocks, as they were given.
        ranges: String,
        /// Blocks that there are.
        blocks: usize,
    },
}
