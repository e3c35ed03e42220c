//! Learning-rate schedules: a pure function of the number of the update, so that the rates of coming updates are known.

/// How the rate goes over the run, in updates.
#[derive(Debug, Clone, PartialEq)]
pub enum Curve {
    /// The same rate throughout.
    Constant,
    /// Multiplied by `gamma` at each milestone.
    MultiStep {
        /// Updates before each change, ascending.
        milestones: Vec<u64>,
        /// The factor.
        gamma: f64,
    },
    /// Half a cosine from the base rate to `floor` (Loshchilov and Hutter, 2017, without restarts), over what a warm-up leaves
    /// of the run: from its end to `total` updates.
    Cosine {
        /// Updates of the whole run.
        total: u64,
        /// The rate at the end.
        floor: f64,
    },
    /// Multiplied by the same factor at every update: from the base rate to `last`, which the last of `total` updates has; it
    /// grows or falls. A warm-up is left out as with a cosine.
    Exponential {
        /// Updates of the whole run.
        total: u64,
        /// The rate at the end, above 0.
        last: f64,
    },
}

/// A linear rise at the start, before the curve: update u = 0, 1, … of the first n = `updates` uses
/// `from + (1 − from)·(u + 1)/n` of the base rate. So the first update teaches, and the last one of the warm-up has the full
/// rate, with which the curve then starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warmup {
    /// Updates until the full rate is reached.
    pub updates: u64,
    /// The share of the rate to start with, 0..1.
    pub from: f64,
}

/// A learning-rate schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct LearningRate {
    base: f64,
    curve: Curve,
    warmup: Option<Warmup>,
    rescale: Option<Rescale>,
}

/// PipeMare's rule for stale modules: the rate is divided by τ^p, p going from 1 to 0 over `updates` (Yang et al., 2021, T1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// τ, the staleness in updates; below 1 nothing is divided.
    pub staleness: f64,
    /// Updates until the full rate is reached.
    pub updates: u64,
}

/// Why a schedule makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RateError {
    /// A number is negative, infinite or NaN.
    #[error("{what} must be a finite number from 0, not {value}")]
    Number {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// An exponential never comes to 0.
    #[error("the final learning rate of an exponential must be above 0")]
    Zero,
    /// Milestones must ascend.
    #[error("the milestones must ascend, but {after} follows {before}")]
    Milestones {
        /// A milestone.
        before: u64,
        /// The one after it.
        after: u64,
    },
}

impl LearningRate {
    /// A schedule with this base rate.
    ///
    /// # Errors
    ///
    /// [`RateError`] for numbers that make no sense.
    pub fn new(base: f64, curve: Curve, warmup: Option<Warmup>) -> Result<Self, RateError> {
        let mut numbers = vec![("the learning rate", base)];
        match &curve {
            Curve::Constant => {}
            Curve::MultiStep { milestones, gamma } => {
                numbers.push(("gamma", *gamma));
                if let Some(pair) = milestones.windows(2).find(|pair| pair[0] >= pair[1]) {
                    return Err(RateError::Milestones {
                        before: pair[0],
                        after: pair[1],
                    });
                }
            }
            Curve::Cosine { floor, .. } => numbers.push(("the final learning rate", *floor)),
            Curve::Exponential { last, .. } => {
                numbers.push(("the final learning rate", *last));
                if *last == 0.0 {
                    return Err(RateError::Zero);
                }
            }
        }
        numbers.extend(warmup.map(|w| ("the warm-up's first share", w.from)));
        match numbers.into_iter().find(|(_, n)| !n.is_finite() || *n < 0.0) {
            Some((what, value)) => Err(RateError::Number { what, value }),
            None => Ok(Self {
                base,
                curve,
                warmup,
                rescale: None,
            }),
        }
    }

    /// A constant rate.
    ///
    /// # Errors
    ///
    /// [`RateError`] if it is negative, infinite or NaN.
    pub fn constant(rate: f64) -> Result<Self, RateError> {
        Self::new(rate, Curve::Constant, None)
    }

    /// The same schedule with every rate multiplied by `factor`.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.base *= factor;
        if let Curve::Cosine { floor: end, .. } | Curve::Exponential { last: end, .. } = &mut self.curve {
            *end *= factor;
        }
        self
    }

    /// The same schedule, rescaled for a stale module.
    pub fn rescaled(self, rescale: Rescale) -> Self {
        Self {
            rescale: Some(rescale),
            ..self
        }
    }

    /// The rate η of the update that follows `updates` others.
    pub fn at(&self, updates: u64) -> f64 {
        let rate = match self.warmup {
            Some(Warmup { updates: warming, from }) if updates < warming => {
                self.base * (from + (1.0 - from) * (updates + 1) as f64 / warming as f64)
            }
            _ => self.on_curve(updates),
        };
        let stale = match self.rescale {
            Some(rescale) if updates < rescale.updates && rescale.staleness > 1.0 => {
                let power = 1.0 - updates as f64 / rescale.updates as f64;
                rescale.staleness.powf(power)
            }
            _ => 1.0,
        };
        rate / stale
    }

    /// The rate after the warm-up.
    fn on_curve(&self, updates: u64) -> f64 {
        match &self.curve {
            Curve::Constant => self.base,
            // Milestones are counted from the start of the run: the warm-up does not move them.
            Curve::MultiStep { milestones, gamma } => {
                let passed = milestones.iter().filter(|m| **m <= updates).count();
                (0..passed).fold(self.base, |rate, _| rate * gamma)
            }
            Curve::Exponential { .. } if self.base == 0.0 => 0.0,
            Curve::Exponential { total, last } => {
                let (done, left) = self.after_warmup(updates, *total);
                let progress = (done as f64 / left.saturating_sub(1).max(1) as f64).min(1.0);
                self.base * (last / self.base).powf(progress)
            }
            Curve::Cosine { total, floor } => {
                let (done, left) = self.after_warmup(updates, *total);
                let progress = (done as f64 / left.max(1) as f64).min(1.0);
                floor + (self.base - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }

    /// Of so many updates and of all, those that come after the warm-up.
    fn after_warmup(&self, updates: u64, total: u64) -> (u64, u64) {
        let warming = self.warmup.map_or(0, |warmup| warmup.updates);
        (updates.saturating_sub(warming), total.saturating_sub(warming))
    }

    /// The rates of the `count` updates that follow `updates` others.
    pub fn coming(&self, updates: u64, count: u32) -> Vec<f64> {
        (0..u64::from(count)).map(|i| self.at(updates + i)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(curve: Curve, warmup: Option<Warmup>, expected: &[(u64, f64)]) {
        let rate = LearningRate::new(0.1, curve, warmup).unwrap();
        for (update, value) in expected {
            assert!(
                (rate.at(*update) - value).abs() < 1e-15,
                "at {update}: {}",
                rate.at(*update)
            );
        }
    }

    #[test]
    fn curves() {
        check(Curve::Constant, None, &[(0, 0.1), (1_000_000, 0.1)]);
        let milestones = vec![10, 20];
        let steps = Curve::MultiStep { milestones, gamma: 0.1 };
        check(steps, None, &[(0, 0.1), (9, 0.1), (10, 0.01), (19, 0.01), (20, 0.001)]);
        let cosine = Curve::Cosine {
            total: 100,
            floor: 0.02,
        };
        check(cosine, None, &[(0, 0.1), (50, 0.06), (100, 0.02), (200, 0.02)]);
        // The first update of a warm-up is a step above its start, and its last one has the full rate: with u/n instead of
        // (u + 1)/n a warm-up from 0 would waste its first batch.
        let warmup = Some(Warmup { updates: 4, from: 0.2 });
        check(
            Curve::Constant,
            warmup,
            &[(0, 0.04), (1, 0.06), (2, 0.08), (3, 0.1), (4, 0.1)],
        );
        let cosine = Curve::Cosine { total: 12, floor: 0.0 };
        check(cosine, warmup, &[(0, 0.04), (3, 0.1), (4, 0.1), (8, 0.05), (12, 0.0)]);
        // A range test: the same factor at every update, and the last one has the last rate.
        let growth = Curve::Exponential { total: 5, last: 1.6 };
        check(
            growth.clone(),
            None,
            &[(0, 0.1), (1, 0.2), (3, 0.8), (4, 1.6), (9, 1.6)],
        );
        check(
            Curve::Exponential { total: 7, last: 0.025 },
            Some(Warmup { updates: 4, from: 0.2 }),
            &[(0, 0.04), (3, 0.1), (4, 0.1), (5, 0.05), (6, 0.025)],
        );
        assert!(LearningRate::new(0.1, Curve::Exponential { total: 5, last: 0.0 }, None).is_err());
        assert_eq!(LearningRate::new(0.0, growth, None).unwrap().at(3), 0.0);
        // A milestone inside the warm-up counts from its end on.
        let milestones = vec![2, 6];
        let steps = Curve::MultiStep { milestones, gamma: 0.1 };
        check(steps, warmup, &[(3, 0.1), (4, 0.01), (5, 0.01), (6, 0.001)]);
        // A run that ends within its warm-up.
        let cosine = Curve::Cosine { total: 3, floor: 0.0 };
        check(cosine, warmup, &[(0, 0.04), (2, 0.08), (3, 0.1)]);
    }

    #[test]
    fn stale_modules_start_slower() {
        let rate = LearningRate::constant(0.1).unwrap().scaled(0.5);
        let rate = rate.rescaled(Rescale {
            staleness: 4.0,
            updates: 2,
        });
        let rates = rate.coming(0, 4);
        assert_eq!(rates, [0.05 / 4.0, 0.05 / 2.0, 0.05, 0.05]);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(LearningRate::constant(-0.1).is_err());
        assert!(LearningRate::constant(f64::NAN).is_err());
        let milestones = vec![20, 10];
        assert!(LearningRate::new(0.1, Curve::MultiStep { milestones, gamma: 0.1 }, None).is_err());
    }
}
