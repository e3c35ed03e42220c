//! Answers to a whole part of a data set.

use super::Confusion;
use super::outputs::{Answer, KEPT, Rows};
use dtrp_core::torch::Evaluation;

/// What a network answers to the samples of a part of a data set.
#[derive(Debug, Clone)]
pub struct Predictions {
    class_names: Vec<String>,
    evaluation: Evaluation,
    trained_loss: f64,
    /// Answers kept of each sample.
    kept: usize,
    labels: Vec<u32>,
    losses: Vec<f32>,
    /// `kept` of each sample.
    answers: Vec<Answer>,
}

/// One sample with what the network answers to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Its number in the set, from 0.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// The five likeliest classes, or as many as there are, the likeliest first.
    pub answers: &'a [Answer],
    /// Cross-entropy: −ln of the probability of its class.
    pub loss: f32,
}

impl Sample<'_> {
    /// Whether its class is the likeliest one.
    pub fn is_right(&self) -> bool {
        self.rank() == Some(0)
    }

    /// How many of the answers kept come before its class; `None` where that is not among them.
    pub fn rank(&self) -> Option<usize> {
        self.answers.iter().position(|answer| answer.class == self.label)
    }
}

impl Predictions {
    pub(super) fn new(class_names: Vec<String>, evaluation: Evaluation, rows: Rows) -> Self {
        let samples = rows.samples.len().max(1) as f64;
        Self {
            class_names,
            evaluation,
            trained_loss: rows.trained_loss / samples,
            kept: KEPT.min(rows.classes),
            labels: rows.samples.iter().map(|row| row.label as u32).collect(),
            losses: rows.samples.iter().map(|row| row.loss as f32).collect(),
            answers: rows.samples.into_iter().flat_map(|row| row.top).collect(),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The names of the classes.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Share of the samples that are answered rightly, 0..1, as [`Trainer::evaluate`](crate::Trainer::evaluate) counts it.
    pub fn accuracy(&self) -> f64 {
        self.evaluation.accuracy
    }

    /// Share of the samples whose class is among the five likeliest, 0..1; `None` with fewer than six classes, where it says
    /// nothing.
    pub fn top5(&self) -> Option<f64> {
        let right = self.samples().filter(|sample| sample.rank().is_some()).count();
        (self.class_names.len() > KEPT).then(|| right as f64 / self.len().max(1) as f64)
    }

    /// Mean loss, as [`Trainer::evaluate`](crate::Trainer::evaluate) gives it: without label smoothing.
    pub fn loss(&self) -> f64 {
        self.evaluation.loss
    }

    /// Mean loss as it is trained: with label smoothing where there is some.
    pub fn trained_loss(&self) -> f64 {
        self.trained_loss
    }

    /// Sample `index`, from 0; `None` where there are fewer.
    pub fn sample(&self, index: usize) -> Option<Sample<'_>> {
        Some(Sample {
            index,
            label: *self.labels.get(index)? as usize,
            answers: self.answers.get(index * self.kept..(index + 1) * self.kept)?,
            loss: self.losses[index],
        })
    }

    /// All samples, in the order of the set.
    pub fn samples(&self) -> impl Iterator<Item = Sample<'_>> {
        (0..self.len()).filter_map(|index| self.sample(index))
    }

    /// The mistakes of which the network was surest to be right: wrong answers with the largest losses, at most `most` of
    /// them, the worst first.
    pub fn worst(&self, most: usize) -> Vec<Sample<'_>> {
        let mut wrong: Vec<_> = self.samples().filter(|sample| !sample.is_right()).collect();
        wrong.sort_by(|a, b| b.loss.total_cmp(&a.loss));
        wrong.truncate(most);
        wrong
    }

    /// Which classes are taken for which.
    pub fn confusion(&self) -> Confusion {
        let pairs = self.samples().map(|sample| {
            let answer = sample.answers.first().map_or(usize::MAX, |answer| answer.class);
            [sample.label, answer]
        });
        Confusion::new(self.class_names.len(), pairs)
    }
}
