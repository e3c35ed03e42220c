//! What can be wrong with costs.

/// Why there are no costs of these modules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostsError {
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
