//! The learning-rate range test: L. N. Smith, *Cyclical learning rates for training neural networks*, 2017, in the form of the
//! fast.ai library: the rate grows by the same factor from update to update, the loss is smoothed, and the test ends where
//! that explodes.

use crate::assembly::Recipe;
use crate::error::{BoxError, Result, TrainError};
use crate::events::{Event, StepReport, Subscriber};
use crate::settings::{RateSchedule, ScheduleName};
use crate::trainer::Trainer;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

/// Of the smoothed loss, the weight of what came before, as the exponential average has it.
const SMOOTHING: f64 = 0.9;

/// The test ends when the smoothed loss is so many times its minimum.
const EXPLODED: f64 = 4.0;

/// Batches at the start that say what the loss is untrained.
const UNTRAINED: usize = 5;

/// The share by which the loss must fall below that before anything is suggested.
const FALLS: f64 = 0.05;

/// Points on either side that a slope is fitted to.
const AROUND: usize = 3;

/// Which rates are tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateRange {
    /// The rate of the first batch.
    pub from: f64,
    /// The rate of the last one.
    pub to: f64,
    /// Batches.
    pub steps: u64,
}

impl Default for RateRange {
    /// From 1e-6 to 10 in 100 batches.
    fn default() -> Self {
        Self {
            from: 1e-6,
            to: 10.0,
            steps: 100,
        }
    }
}

/// A batch of a range test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatePoint {
    /// The learning rate of the update that follows.
    pub lr: f64,
    /// The batch's mean loss.
    pub loss: f64,
    /// The exponential average of the losses up to it, without the bias of its start.
    pub smoothed: f64,
}

/// Why a range test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RangeEnd {
    /// The smoothed loss was four times its minimum.
    Exploded,
    /// The loss was no longer a finite number.
    Diverged,
    /// The last rate was reached.
    Finished,
}

/// What came of a range test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateCurve {
    /// Batch by batch.
    pub points: Vec<RatePoint>,
    /// Why there are no more.
    pub end: RangeEnd,
}

impl RateCurve {
    /// The rate at which the smoothed loss falls fastest over the logarithm of the rate: the slope of the line through
    /// the points around it is the least. `None` where the loss does not fall.
    pub fn steepest(&self) -> Option<f64> {
        if !self.falls() {
            return None;
        }
        let lowest = self.lowest()?;
        let slopes = (AROUND..self.points.len().saturating_sub(AROUND)).filter(|at| *at <= lowest);
        let slopes = slopes.map(|at| (at, slope(&self.points[at - AROUND..=at + AROUND])));
        let (at, slope) = slopes.min_by(|a, b| a.1.total_cmp(&b.1))?;
        (slope < 0.0).then(|| self.points[at].lr)
    }

    /// The rate with the lowest smoothed loss, which is on the verge of too much. `None` where the loss does not fall, and where
    /// it was still falling at the end of the range.
    pub fn minimum(&self) -> Option<f64> {
        let lowest = self.lowest().filter(|_| self.falls() && !self.falls_at_the_end())?;
        Some(self.points[lowest].lr)
    }

    /// The minimum by ten, a usual choice.
    pub fn tenth_of_minimum(&self) -> Option<f64> {
        self.minimum().map(|rate| rate / 10.0)
    }

    /// Whether the loss falls anywhere by as much as it must for a suggestion, a twentieth of what it is untrained.
    pub fn falls(&self) -> bool {
        let untrained = self.points.iter().take(UNTRAINED).map(|point| point.loss);
        let untrained = untrained.sum::<f64>() / self.points.len().clamp(1, UNTRAINED) as f64;
        // Where it is lowest at the start it has only risen.
        let lowest = self.lowest().filter(|at| *at >= UNTRAINED);
        lowest.is_some_and(|at| self.points[at].smoothed < (1.0 - FALLS) * untrained)
    }

    /// Whether the lowest loss is that of the last rates: larger ones might be better.
    pub fn falls_at_the_end(&self) -> bool {
        let last = self.points.len().saturating_sub(1 + AROUND);
        self.end == RangeEnd::Finished && self.lowest().is_some_and(|lowest| lowest >= last)
    }

    /// Where the smoothed loss is lowest.
    fn lowest(&self) -> Option<usize> {
        let points = self.points.iter().enumerate();
        let lowest = points.min_by(|(_, a), (_, b)| a.smoothed.total_cmp(&b.smoothed));
        lowest.map(|(at, _)| at)
    }
}

/// Of the smoothed loss over ln(rate), by least squares.
fn slope(points: &[RatePoint]) -> f64 {
    let count = points.len() as f64;
    let x = |point: &RatePoint| point.lr.ln();
    let mean_x = points.iter().map(x).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.smoothed).sum::<f64>() / count;
    let products = points
        .iter()
        .map(|point| (x(point) - mean_x) * (point.smoothed - mean_y));
    let squares = points.iter().map(|point| (x(point) - mean_x).powi(2));
    products.sum::<f64>() / squares.sum::<f64>()
}

/// Trains at growing rates.
pub(crate) fn range_test(mut recipe: Recipe, range: RateRange) -> Result<RateCurve> {
    let RateRange { from, to, steps } = range;
    let sound = from > 0.0 && from < to && to.is_finite();
    if !sound {
        return Err(TrainError::Fit(format!(
            "a range of learning rates goes from a rate above 0 to a larger one, not from {from} to {to}"
        )));
    }
    let batches = u64::from(recipe.batches()?);
    let accumulate = u64::from(recipe.settings.method.accumulate);
    let settings = &mut recipe.settings;
    settings.optimizer.lr = from;
    settings.optimizer.schedule = RateSchedule {
        name: ScheduleName::Exponential,
        final_lr: to,
        ..RateSchedule::default()
    };
    // These would hold the rate back at the start.
    settings.method.rescale_epochs = 0.0;
    settings.run.max_steps = Some(steps.max(1) * accumulate);
    settings.run.epochs = (steps.max(1) * accumulate).div_ceil(batches.max(1));
    // Nothing is asked of the test set.
    settings.data.test_limit = Some(1);
    settings.check()?;
    let points = Arc::new(Mutex::new(Points::default()));
    let mut trainer = Trainer::assemble(recipe, true)?;
    trainer.subscribe(Watcher(Arc::clone(&points)));
    let end = match trainer.fit() {
        Ok(_) => RangeEnd::Finished,
        Err(TrainError::Diverged(_)) => RangeEnd::Diverged,
        Err(TrainError::Subscriber(error)) if error.is::<Exploded>() => RangeEnd::Exploded,
        Err(error) => return Err(error),
    };
    let points = std::mem::take(&mut *points.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(RateCurve {
        points: points.all,
        end,
    })
}

/// The points so far.
#[derive(Debug, Default)]
struct Points {
    all: Vec<RatePoint>,
    average: f64,
    lowest: Option<f64>,
}

impl Points {
    /// Takes in a batch; says whether the loss has exploded.
    fn add(&mut self, step: &StepReport) -> bool {
        self.average = SMOOTHING * self.average + (1.0 - SMOOTHING) * step.loss;
        let weights = 1.0 - SMOOTHING.powi(self.all.len() as i32 + 1);
        let smoothed = self.average / weights;
        self.all.push(RatePoint {
            lr: step.lr,
            loss: step.loss,
            smoothed,
        });
        let lowest = self.lowest.map_or(smoothed, |lowest| lowest.min(smoothed));
        self.lowest = Some(lowest);
        self.all.len() > UNTRAINED && smoothed > EXPLODED * lowest
    }
}

struct Watcher(Arc<Mutex<Points>>);

/// What ends the training.
#[derive(Debug, thiserror::Error)]
#[error("the loss has exploded")]
struct Exploded;

impl Subscriber for Watcher {
    fn event(&mut self, event: &Event) -> Result<(), BoxError> {
        let Event::Step(step) = event else { return Ok(()) };
        let mut points = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if points.add(step) { Err(Exploded.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curve of these losses at rates from 1e-4 on, ten a decade, as if nothing were smoothed.
    fn curve(losses: impl Iterator<Item = f64>, end: RangeEnd) -> RateCurve {
        let points = losses.enumerate().map(|(at, loss)| RatePoint {
            lr: 1e-4 * 10f64.powf(at as f64 / 10.0),
            loss,
            smoothed: loss,
        });
        RateCurve {
            points: points.collect(),
            end,
        }
    }

    #[test]
    fn suggestions_of_a_curve_that_is_known() {
        // Falls fastest in the middle of a step, and rises again.
        let loss =
            |at: i32| 2.3 - 1.8 / (1.0 + f64::from(20 - at).exp()) + if at > 30 { f64::from(at - 30) } else { 0.0 };
        let found = curve((0..36).map(loss), RangeEnd::Exploded);
        assert!((found.steepest().unwrap() / 1e-2 - 1.0).abs() < 1e-9);
        assert!((found.minimum().unwrap() / 1e-1 - 1.0).abs() < 1e-9);
        assert_eq!(found.tenth_of_minimum(), found.minimum().map(|rate| rate / 10.0));
        // Not yet at its minimum.
        let open = curve((0..26).map(loss), RangeEnd::Finished);
        assert!(open.falls_at_the_end() && open.minimum().is_none() && open.steepest().is_some());
    }

    #[test]
    fn nothing_is_suggested_where_nothing_falls() {
        let flat = curve((0..40).map(|at| 2.3 + 0.01 * f64::from(at % 3)), RangeEnd::Finished);
        assert_eq!((flat.steepest(), flat.minimum()), (None, None));
        let rising = curve((0..20).map(|at| 2.3 + f64::from(at)), RangeEnd::Exploded);
        assert_eq!((rising.steepest(), rising.minimum()), (None, None));
        assert_eq!(curve([].into_iter(), RangeEnd::Diverged).steepest(), None);
    }
}
