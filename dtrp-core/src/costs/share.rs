//! How a whole batch's cost is shared out among its micro-batches.

/// The share of each micro-batch in a whole number, so that all shares together are the whole again: the first `larger`
/// get one more than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) each: u64,
    pub(crate) larger: u16,
}

impl Share {
    pub(crate) fn new(whole: u64, micro_batches: u16) -> Self {
        let parts = u64::from(micro_batches.max(1));
        Self {
            each: whole / parts,
            // A remainder is smaller than the number of parts, which fits.
            larger: (whole % parts) as u16,
        }
    }

    /// The share of micro-batch `micro`, from 1.
    pub(crate) fn of(self, micro: u16) -> u64 {
        self.each + u64::from(micro <= self.larger)
    }
}
