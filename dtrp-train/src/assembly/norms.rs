//! Batch norm needs two values for each channel, in every batch and every micro-batch.
//!
//! The variance of one value is none: libtorch divides by 0, and the running variance is NaN from then on. PyTorch refuses such
//! batches when they come, which may be at the end of the first epoch; here it is known before training.

use crate::data::BatchSizes;
use crate::error::{Result, TrainError};
use dtrp_models::BlockInfo;

/// The batches that a run is going to see, as far as their sizes go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) sizes: BatchSizes,
    /// Samples of an epoch.
    pub(crate) samples: usize,
    /// Batches of an epoch that the run gets to.
    pub(crate) batches: usize,
    /// Micro-batches of each.
    pub(crate) parts: u16,
}

/// Refuses batches of which some norm sees a single value for each channel. `heads` are the auxiliary ones, of module 1 first.
pub(crate) fn check_norms(blocks: &[BlockInfo], heads: &[BlockInfo], seen: Seen) -> Result<()> {
    // All are as large as the first, but for the last; the smallest micro-batch of a batch is what an even split leaves.
    for batch in [1, seen.batches] {
        let samples = seen.sizes.of(batch);
        let unit = samples / usize::from(seen.parts.max(1));
        let lone = |block: &&BlockInfo| block.norms.iter().any(|norm| norm.values * unit as u64 <= 1);
        let blocks = blocks.iter().filter(lone).map(|block| (block, "block"));
        let heads = heads.iter().filter(lone).map(|head| (head, "the auxiliary head"));
        if let Some((block, kind)) = blocks.chain(heads).next() {
            let norm = block.norms.iter().find(|norm| norm.values * unit as u64 <= 1);
            let norm = norm.map_or("", |norm| &norm.parameter);
            return Err(TrainError::Fit(format!(
                "{}: the batch norm of `{norm}` in {kind} `{}` would see a single value for each channel, which has no \
                 variance; {}",
                seen.told(batch, samples, unit),
                block.name,
                seen.advice(batch, samples),
            )));
        }
    }
    Ok(())
}

impl Seen {
    /// Which batch, and what is small about it.
    fn told(&self, batch: usize, samples: usize, unit: usize) -> String {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let of = match batch {
            1 => String::new(),
            _ => format!(", the last of an epoch of {} samples,", self.samples),
        };
        let own = format!("batch {batch}{of} has {samples} sample{}", plural(samples));
        match self.parts {
            0 | 1 => own,
            parts => format!("{own}, in micro-batches (method.micro_batches: {parts}) of {unit}"),
        }
    }

    fn advice(&self, batch: usize, samples: usize) -> &'static str {
        let smaller = samples < self.sizes.of(1);
        match (smaller && batch > 1, self.parts > 1) {
            (true, false) => "set data.drop_last: true, or another data.batch_size",
            (true, true) => "set data.drop_last: true, fewer method.micro_batches, or another data.batch_size",
            (false, false) => "take a larger data.batch_size",
            (false, true) => "take fewer method.micro_batches, or a larger data.batch_size",
        }
    }
}
