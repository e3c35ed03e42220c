//! What the last block gives, as numbers.

use crate::error::{Result, TrainError};
use dtrp_core::torch::{Loss, TorchError};
use serde::Serialize;
use std::cmp::Ordering;
use tch::{Kind, Tensor};

/// Answers that are kept of each sample of a data set.
pub(super) const KEPT: usize = 5;

/// A class, and how likely the network takes it to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Answer {
    /// The class, from 0.
    pub class: usize,
    /// The softmax of the logits, 0..1.
    pub probability: f64,
}

/// What the network says of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// What the last block gives, a number for each class.
    pub logits: Vec<f64>,
}

impl Answers {
    /// The likeliest classes, at most `most` of them, the likeliest first. Of classes that are equally likely the first comes
    /// first.
    pub fn top(&self, most: usize) -> Vec<Answer> {
        top(&self.logits, most)
    }

    /// The probability of each class.
    pub fn probabilities(&self) -> Vec<f64> {
        let normaliser = normaliser(&self.logits);
        self.logits.iter().map(|logit| (logit - normaliser).exp()).collect()
    }
}

/// What the network gives for many samples.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Numbers of each sample.
    pub(super) classes: usize,
    pub(super) samples: Vec<Row>,
    /// Sum of the loss as it is trained over the samples.
    pub(super) trained_loss: f64,
    /// Set where the network gives something else than a number for each class.
    shape: Option<Vec<i64>>,
}

/// Of one sample.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) label: usize,
    /// All logits where no label is known, which is of single images.
    pub(super) logits: Vec<f64>,
    pub(super) top: Vec<Answer>,
    /// −ln of the label's probability.
    pub(super) loss: f64,
}

impl Rows {
    /// Takes in a batch; with a loss where the labels are known.
    pub(super) fn take(&mut self, output: &Tensor, labels: &Tensor, loss: Option<&dyn Loss>) -> Result<(), TorchError> {
        let &[samples, classes] = &*output.size() else {
            self.shape = Some(output.size());
            return Ok(());
        };
        self.classes = classes as usize;
        if let Some(loss) = loss {
            self.trained_loss += loss.of(output, labels)?.f_double_value(&[])? * samples as f64;
        }
        let logits = Vec::<f64>::try_from(&output.f_to_kind(Kind::Double)?.f_flatten(0, -1)?)?;
        let labels = Vec::<i64>::try_from(&labels.f_to_kind(Kind::Int64)?.f_flatten(0, -1)?)?;
        for (logits, label) in logits.chunks_exact(self.classes.max(1)).zip(labels) {
            let label = label.unsigned_abs() as usize;
            let known = loss.is_some();
            self.samples.push(Row {
                label,
                top: top(logits, if known { KEPT } else { 0 }),
                loss: normaliser(logits) - logits.get(label).copied().unwrap_or(f64::NAN),
                logits: if known { Vec::new() } else { logits.to_vec() },
            });
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<()> {
        match &self.shape {
            None => Ok(()),
            Some(shape) => Err(TrainError::Fit(format!(
                "the network's last block gives {shape:?}, but answers are a number for each class: samples x classes"
            ))),
        }
    }
}

/// ln Σ exp(logit), so that exp(logit − it) is a probability.
fn normaliser(logits: &[f64]) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + logits.iter().map(|logit| (logit - largest).exp()).sum::<f64>().ln()
}

fn top(logits: &[f64], most: usize) -> Vec<Answer> {
    // What is no number comes first, as in `argmax`: then nothing is likely.
    let order = |a: &usize, b: &usize| {
        let [first, second] = [logits[*a], logits[*b]];
        let nan = second.is_nan().cmp(&first.is_nan());
        nan.then(second.partial_cmp(&first).unwrap_or(Ordering::Equal))
            .then(a.cmp(b))
    };
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    let most = most.min(classes.len());
    if most == 0 {
        return Vec::new();
    }
    classes.select_nth_unstable_by(most - 1, order);
    classes.truncate(most);
    classes.sort_unstable_by(order);
    let normaliser = normaliser(logits);
    let answer = |class| Answer {
        class,
        probability: (logits[class] - normaliser).exp(),
    };
    classes.into_iter().map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_their_order() {
        let answers = Answers {
            logits: vec![1000.0, 1001.0, 999.0, 1001.0],
        };
        let sum: f64 = answers.probabilities().iter().sum();
        assert!((sum - 1.0).abs() < 1e-12);
        let top = answers.top(3);
        assert_eq!(top.iter().map(|answer| answer.class).collect::<Vec<_>>(), [1, 3, 0]);
        assert_eq!(top[0].probability, answers.probabilities()[1]);
        assert_eq!(answers.top(9).len(), 4);
        let lost = Answers {
            logits: vec![0.0, f64::NAN],
        };
        assert_eq!(lost.top(1)[0].class, 1);
    }
}
