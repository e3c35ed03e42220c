//! The batches whose gradients wait for an update, and what each weighs in it.

/// The batches under one update. Their mean is one over all their samples: gradients come as means over a batch each, so each
/// is weighted by its batch's samples, in units of those of the first, which makes all weights 1 where batches are equal.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Number and samples.
    batches: Vec<(u32, f64)>,
}

impl Pending {
    /// Whether no gradient waits.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.batches.clear();
    }

    /// Number and samples of each, in the order in which they came.
    pub(super) fn batches(&self) -> impl Iterator<Item = (u32, f64)> {
        self.batches.iter().copied()
    }

    /// Goes on with these.
    pub(super) fn resume(&mut self, batches: impl Iterator<Item = (u32, f64)>) {
        self.batches = batches.collect();
    }

    /// Takes note of a gradient of this batch, or of a micro-batch of it, and returns the factor that it is added up with.
    pub(super) fn add(&mut self, batch: u32, samples: f64) -> f64 {
        if self.batches.iter().all(|(known, _)| *known != batch) {
            self.batches.push((batch, samples));
        }
        samples / self.batches[0].1
    }

    /// The factor that makes the sum a mean, and forgets the batches.
    pub(super) fn take(&mut self) -> f64 {
        let Some((_, first)) = self.batches.first().copied() else {
            return 1.0;
        };
        let sum: f64 = self.batches.drain(..).map(|(_, samples)| samples / first).sum();
        1.0 / sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_over_samples() {
        let mut pending = Pending::default();
        assert!(pending.is_empty());
        // Three batches; the second comes in two micro-batches.
        assert_eq!(pending.add(4, 8.0), 1.0);
        assert_eq!(pending.add(5, 8.0), 1.0);
        assert_eq!(pending.add(5, 8.0), 1.0);
        assert_eq!(pending.add(6, 4.0), 0.5);
        assert_eq!(pending.take(), 1.0 / 2.5);
        assert!(pending.is_empty());
        assert_eq!(pending.add(7, 4.0), 1.0);
        assert_eq!(pending.take(), 1.0);
    }
}
