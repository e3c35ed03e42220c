//! Numbers over seeds: mean, deviation, and whether two variants differ.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Numbers of several runs of one variant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// How many there are.
    pub(crate) runs: usize,
    pub(crate) mean: f64,
    /// Of the sample, with n − 1; null for one run.
    pub(crate) deviation: Option<f64>,
}

impl Spread {
    /// `None` where there are no numbers.
    pub(crate) fn of(numbers: &[f64]) -> Option<Self> {
        let count = numbers.len() as f64;
        let mean = (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / count)?;
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        Some(Self {
            runs: numbers.len(),
            mean,
            deviation: (numbers.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
        })
    }
}

/// The paired t-test: whether the differences between two variants, seed by seed, are 0 in the mean.
///
/// ```text
/// d_s = b_s − a_s     t = mean(d) / (deviation(d) / √n)     p = P(|T| ≥ |t|),  T of Student's distribution with n − 1
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Paired {
    /// Of which both runs have a number.
    pub(crate) seeds: Vec<u64>,
    /// Of this variant less the first.
    pub(crate) mean_difference: f64,
    /// Of the differences, with n − 1.
    pub(crate) deviation: f64,
    /// Null where all differences are the same: they have no deviation to be measured by.
    pub(crate) t: Option<f64>,
    /// Two-sided.
    pub(crate) p: Option<f64>,
}

impl Paired {
    /// From numbers with their seeds; `None` with fewer than two seeds that both have.
    pub(crate) fn of(first: &[(u64, f64)], this: &[(u64, f64)]) -> Option<Self> {
        let pairs = this.iter().filter_map(|(seed, number)| {
            let (_, other) = first.iter().find(|(other, _)| other == seed)?;
            Some((*seed, number - other))
        });
        let (seeds, differences): (Vec<u64>, Vec<f64>) = pairs.unzip();
        let Spread { runs, mean, deviation } = Spread::of(&differences)?;
        let deviation = deviation?;
        let error = deviation / (runs as f64).sqrt();
        // Of equal differences only rounding is left.
        let same = deviation <= f64::EPSILON * differences.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
        let t = (!same).then(|| mean / error);
        Some(Self {
            seeds,
            mean_difference: mean,
            deviation,
            t,
            p: t.and_then(|t| two_sided(t, runs - 1)),
        })
    }
}

/// P(|T| ≥ |t|) with so many degrees of freedom.
fn two_sided(t: f64, freedom: usize) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some((2.0 * distribution.cdf(-t.abs())).min(1.0))
}

/// `0.031`, `<0.001`
pub(crate) fn probability(p: f64) -> String {
    if p < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_closed_forms() {
        for t in [0.0_f64, 0.1, 1.0, 2.5, 12.706_204_736_432_1, 1e3, 1e6] {
            // One degree of freedom is Cauchy's distribution, two have a root alone.
            let one = 2.0 / std::f64::consts::PI * t.recip().atan();
            let two = 2.0 / (t * t + 2.0 + t * (t * t + 2.0_f64).sqrt());
            for (freedom, expected) in [(1, one), (2, two)] {
                let found = two_sided(-t, freedom).unwrap();
                assert!(
                    (found - expected).abs() <= 1e-9 * expected,
                    "{t} {freedom}: {found} {expected}"
                );
            }
        }
        // Of every table of the distribution.
        assert!((two_sided(2.776_445_105_2, 4).unwrap() - 0.05).abs() < 1e-10);
    }

    #[test]
    fn mean_and_deviation_of_a_sample() {
        let spread = Spread::of(&[1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!((spread.runs, spread.mean), (4, 3.0));
        assert!((spread.deviation.unwrap() - (14.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(Spread::of(&[2.0]).unwrap().deviation, None);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn pairs_are_runs_of_one_seed() {
        let first = [(1, 10.0), (2, 20.0), (3, 30.0), (4, 0.0)];
        let this = [(3, 33.0), (1, 11.0), (2, 22.0), (9, 5.0)];
        let paired = Paired::of(&first, &this).unwrap();
        // Differences 3, 1, 2: mean 2, deviation 1, t = 2 √3.
        assert_eq!(paired.seeds, [3, 1, 2]);
        assert_eq!((paired.mean_difference, paired.deviation), (2.0, 1.0));
        assert!((paired.t.unwrap() - 12.0_f64.sqrt()).abs() < 1e-12);
        assert!((paired.p.unwrap() - (1.0 - (6.0_f64 / 7.0).sqrt())).abs() < 1e-12);
        // One pair says nothing, and equal differences have no t.
        assert_eq!(Paired::of(&first[..1], &this), None);
        let shifted = [(1, 10.1), (2, 20.1)];
        let same = Paired::of(&first, &first).unwrap();
        assert_eq!((same.t, same.p, same.mean_difference), (None, None, 0.0));
        assert!(Paired::of(&shifted, &first).is_some());
    }
}
