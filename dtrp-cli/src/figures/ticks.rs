//! Where an axis has its numbers, and how they are written.

use dtrp_text::units::thousands;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use std::ops::Range;

/// The stretch of an axis that is drawn, in its own coordinates: of a logarithmic one those of the exponent to 10.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) log: bool,
    pub(super) ticks: Vec<f64>,
    /// Digits after the point.
    decimals: usize,
}

impl Scale {
    /// An axis on which all of these have their place.
    pub(super) fn linear(numbers: impl Iterator<Item = f64>, from_zero: bool, count: usize) -> Self {
        let (mut low, mut high) = ends(numbers).unwrap_or((0.0, 1.0));
        if from_zero {
            low = low.min(0.0);
        }
        if high - low <= f64::EPSILON * high.abs().max(1e-9) {
            let around = if high == 0.0 { 1.0 } else { high.abs() * 0.5 };
            (low, high) = (if from_zero { low } else { low - around }, high + around);
        }
        let step = step((high - low) / count.max(1) as f64);
        let first = (low / step).ceil();
        let ticks = (0..100).map(|n| (first + f64::from(n)) * step);
        Self {
            ticks: ticks.take_while(|tick| *tick <= high + step * 1e-6).collect(),
            low,
            high,
            log: false,
            decimals: (-step.log10().floor()).clamp(0.0, 9.0) as usize,
        }
    }

    /// From 0 to `high`, without numbers.
    pub(super) fn bare(high: f64) -> Self {
        Self {
            ticks: Vec::new(),
            ..Self::linear([0.0, high].into_iter(), true, 1)
        }
    }

    /// The same, with some room at both ends; never below `floor`.
    pub(super) fn padded(mut self, floor: Option<f64>, ceiling: Option<f64>) -> Self {
        let room = (self.high - self.low) * 0.04;
        let low = if self.low == 0.0 && !self.log {
            0.0
        } else {
            self.low - room
        };
        self.low = floor.map_or(low, |floor| low.max(floor));
        self.high = ceiling.map_or(self.high + room, |ceiling| (self.high + room).min(ceiling));
        self
    }

    /// A logarithmic axis; what is not above 0 has no place on it.
    pub(super) fn log(numbers: impl Iterator<Item = f64>) -> Self {
        let positive = numbers.filter(|number| *number > 0.0).map(f64::log10);
        let (mut low, mut high) = ends(positive).unwrap_or((0.0, 1.0));
        if high - low < 0.1 {
            (low, high) = (low - 0.05, high + 0.05);
        }
        let factors: &[f64] = match high - low {
            decades if decades < 0.7 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
            decades if decades < 2.5 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let decades = low.floor() as i32..=high.ceil() as i32;
        let ticks = decades.flat_map(|decade| factors.iter().map(move |factor| f64::from(decade) + factor.log10()));
        Self {
            ticks: ticks.filter(|tick| (low..=high).contains(tick)).collect(),
            low,
            high,
            log: true,
            decimals: 0,
        }
    }

    /// Where a number is.
    pub(super) fn place(&self, number: f64) -> f64 {
        if !self.log {
            return number;
        }
        // Below the axis, where a band would reach to 0 or beyond.
        number.max(f64::MIN_POSITIVE).log10().max(self.low)
    }

    /// The number at a tick.
    pub(super) fn text(&self, tick: f64) -> String {
        if !self.log {
            return fixed(tick, self.decimals);
        }
        let number = 10_f64.powf(tick);
        match number {
            n if (1e-4..1e5).contains(&n) => fixed(n, (-tick.floor()).max(0.0) as usize + usize::from(is_half(n))),
            n => format!("{n:.0e}"),
        }
    }

    /// The texts of all ticks.
    pub(super) fn texts(&self) -> Vec<String> {
        self.ticks.iter().map(|tick| self.text(*tick)).collect()
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.ticks.clone()
        }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

/// 1.5, 15, 0.15: a digit more.
fn is_half(number: f64) -> bool {
    let mantissa = number / 10_f64.powf(number.log10().floor());
    (mantissa - 1.5).abs() < 0.01 && number < 10.0
}

/// With the thousands set apart.
fn fixed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    // -0
    let text = if number.abs() < 0.5 * 10_f64.powi(-(decimals as i32)) {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    };
    match (decimals, text.parse::<u64>()) {
        (0, Ok(whole)) if whole >= 10_000 => thousands(whole),
        _ => text,
    }
}

fn ends(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let numbers = numbers.filter(|number| number.is_finite());
    numbers.fold(None, |ends, number| {
        let (low, high) = ends.unwrap_or((number, number));
        Some((number.min(low), number.max(high)))
    })
}

/// The smallest of 1, 2, 5, 10, 20, … (and 0.1, 0.2, …) that is not below `least`.
fn step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|n| n * power);
    steps
        .into_iter()
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers() {
        let texts = |numbers: &[f64], zero| Scale::linear(numbers.iter().copied(), zero, 5).texts();
        assert_eq!(texts(&[0.0, 1.0], false), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&[97.0, 99.0], false), ["97.0", "97.5", "98.0", "98.5", "99.0"]);
        assert_eq!(
            texts(&[3.0, 42_000.0], true),
            ["0", "10,000", "20,000", "30,000", "40,000"]
        );
        assert_eq!(texts(&[-1.0, 1.0], false), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        // One number, or none that could be drawn.
        assert!(texts(&[5.0], false).len() > 1 && texts(&[f64::NAN], false).len() > 1);
    }

    #[test]
    fn powers_of_ten() {
        let texts = |numbers: &[f64]| Scale::log(numbers.iter().copied()).texts();
        assert_eq!(texts(&[0.01, 1000.0]), ["0.01", "0.1", "1", "10", "100", "1000"]);
        assert_eq!(texts(&[0.1, 2.0]), ["0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(texts(&[1.0, 2.0, 0.0]), ["1", "1.5", "2"]);
        let scale = Scale::log([0.1, 10.0].into_iter());
        assert_eq!((scale.place(1.0), scale.place(-3.0)), (0.0, -1.0));
    }
}
