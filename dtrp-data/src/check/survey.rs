//! Looking at every sample of a part: counts by class, and the distribution of the pixels.

use super::DataProblem;
use crate::{DataError, Dataset};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What one part of a set holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PartReport {
    /// `train` or `test`.
    pub name: &'static str,
    /// Samples that could be read.
    pub samples: usize,
    /// Each class with the number of its samples.
    pub classes: Vec<(String, usize)>,
    /// The mean of each channel over all pixels, which are from 0 to 1.
    pub mean: Vec<f64>,
    /// The standard deviation of each channel over all pixels.
    pub std: Vec<f64>,
}

/// Reads a sample, adds its pixels and returns its label.
type Look = Box<dyn Fn(usize, &mut Levels) -> Result<u32, DataError> + Send + Sync>;

/// One part of a set, to be looked at.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) classes: Vec<String>,
    pub(crate) samples: usize,
    pub(crate) look: Look,
    /// What is worth telling, once every sample was looked at.
    pub(crate) notes: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl Part {
    /// Samples as the set gives them.
    pub(crate) fn of(name: &'static str, set: Arc<dyn Dataset>) -> Self {
        let looked_at = Arc::clone(&set);
        Self {
            name,
            notes: Box::new(move || looked_at.notes()),
            classes: set.class_names(),
            samples: set.len(),
            look: Box::new(move |index, levels| {
                let shape = set.shape();
                let mut image = vec![0; shape.len()];
                let label = set.get(index, &mut image)?;
                levels.add_planar(&image, shape.channels);
                Ok(label)
            }),
        }
    }
}

/// How often each channel has each of the 256 levels: whole numbers, so that sums do not depend on
/// the order.
#[derive(Default)]
pub(crate) struct Levels(Vec<[u64; 256]>);

impl Levels {
    fn add(&mut self, channel: usize, levels: impl Iterator<Item = u8>) {
        if self.0.len() <= channel {
            self.0.resize(channel + 1, [0; 256]);
        }
        for level in levels {
            self.0[channel][usize::from(level)] += 1;
        }
    }

    /// An image whose channels are planes.
    pub(crate) fn add_planar(&mut self, image: &[u8], channels: usize) {
        let planes = image.chunks_exact((image.len() / channels.max(1)).max(1));
        for (channel, plane) in planes.enumerate() {
            self.add(channel, plane.iter().copied());
        }
    }

    /// An image whose channels stand together in every pixel.
    pub(crate) fn add_interleaved(&mut self, image: &[u8], channels: usize) {
        for channel in 0..channels {
            self.add(channel, image.iter().skip(channel).step_by(channels).copied());
        }
    }

    fn merge(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), [0; 256]);
        for (mine, others) in self.0.iter_mut().zip(&other.0) {
            for (mine, other) in mine.iter_mut().zip(others) {
                *mine += other;
            }
        }
    }

    /// Means and standard deviations.
    pub(crate) fn moments(&self) -> (Vec<f64>, Vec<f64>) {
        let moments = self.0.iter().map(|counts| {
            let total = counts.iter().sum::<u64>().max(1) as f64;
            let moment = |power| {
                let terms = (0u32..)
                    .zip(counts)
                    .map(|(level, &count)| (f64::from(level) / 255.0).powi(power) * count as f64);
                terms.sum::<f64>() / total
            };
            let mean = moment(1);
            (mean, (moment(2) - mean * mean).max(0.0).sqrt())
        });
        moments.unzip()
    }
}

/// What one thread has seen.
#[derive(Default)]
struct Seen {
    labels: Vec<usize>,
    levels: Levels,
    problems: Vec<DataProblem>,
}

/// Looks at every sample of a part on `threads` threads; problems come sorted by file.
pub(super) fn survey(part: &Part, threads: usize) -> (PartReport, Vec<DataProblem>) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut seen = Seen::default();
        seen.labels.resize(part.classes.len(), 0);
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= part.samples {
                return seen;
            }
            match (part.look)(index, &mut seen.levels) {
                Ok(label) => seen.labels[label as usize] += 1,
                Err(error) => seen.problems.push(error.into()),
            }
        }
    };
    let mut all = Seen::default();
    all.labels.resize(part.classes.len(), 0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let seen = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            for (sum, count) in all.labels.iter_mut().zip(seen.labels) {
                *sum += count;
            }
            all.levels.merge(&seen.levels);
            all.problems.extend(seen.problems);
        }
    });
    all.problems.sort_by(|a, b| a.path.cmp(&b.path));
    let (mean, std) = all.levels.moments();
    let report = PartReport {
        name: part.name,
        samples: all.labels.iter().sum(),
        classes: part.classes.iter().cloned().zip(all.labels).collect(),
        mean,
        std,
    };
    (report, all.problems)
}
