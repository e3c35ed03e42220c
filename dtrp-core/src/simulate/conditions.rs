//! The conditions of a simulated run: the links between the workers, and how far reality strays from the given costs.

use super::error::SimulateError;
use serde::{Deserialize, Serialize};

/// What connects neighbouring workers. All links are alike, and each direction is a link of its own.
///
/// A message travels in the background: its sender goes on as soon as the link has room for it ([`SimulationOptions::capacity`]),
/// and it arrives after its transfer and the latency. A link transfers one message at a time.
///
/// [`SimulationOptions::capacity`]: super::SimulationOptions::capacity
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// Time between the end of a transfer and the arrival, in nanoseconds.
    pub latency_ns: u64,
    /// Bytes that a link transfers in a second; `None`: a transfer takes no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

impl Links {
    /// How long the transfer of so many bytes keeps a link busy, in nanoseconds, rounded up; `None` if that is longer than
    /// 2⁶³ ns.
    pub fn transfer_ns(&self, bytes: u64) -> Option<u64> {
        let Some(rate) = self.bytes_per_second else {
            return Some(0);
        };
        let ns = (u128::from(bytes) * 1_000_000_000).checked_div(u128::from(rate))?;
        let exact = ns * u128::from(rate) == u128::from(bytes) * 1_000_000_000;
        let ns = ns + u128::from(!exact);
        i64::try_from(ns).ok().and_then(|ns| u64::try_from(ns).ok())
    }

    pub(super) fn check(&self) -> Result<(), SimulateError> {
        match self.bytes_per_second {
            Some(0) => Err(SimulateError::Setting {
                what: "bytes_per_second",
                value: 0.0,
                must: "at least 1 (leave it out for transfers that take no time)",
            }),
            _ => Ok(()),
        }
    }
}

/// Random deviations from the given costs. Messages have none.
///
/// The deviation of an action depends only on the seed, the worker, the kind of action and the batch (and micro-batch), so
/// it is the same in whatever order the actions run, and on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jitter {
    /// Seed of the deviations.
    pub seed: u64,
    /// Standard deviation of an action's time, as a share of its mean. The distribution is close to normal and ends at
    /// 3.46 standard deviations (the sum of four uniform numbers); a time is never negative.
    pub relative_std: f64,
    /// Probability that an action is a straggler.
    pub straggler_probability: f64,
    /// How many times as long a straggler takes.
    pub straggler_factor: f64,
}

impl Default for Jitter {
    /// No deviations.
    fn default() -> Self {
        Self {
            seed: 0,
            relative_std: 0.0,
            straggler_probability: 0.0,
            straggler_factor: 1.0,
        }
    }
}

impl Jitter {
    pub(super) fn check(&self) -> Result<(), SimulateError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let settings = [
            (
                "relative_std",
                self.relative_std,
                share(self.relative_std),
                "from 0 to 1",
            ),
            (
                "straggler_probability",
                self.straggler_probability,
                share(self.straggler_probability),
                "from 0 to 1",
            ),
            (
                "straggler_factor",
                self.straggler_factor,
                (1.0..=1e6).contains(&self.straggler_factor),
                "from 1 to 1000000",
            ),
        ];
        match settings.into_iter().find(|(_, _, fine, _)| !fine) {
            Some((what, value, _, must)) => Err(SimulateError::Setting { what, value, must }),
            None => Ok(()),
        }
    }

    /// The most that any time is multiplied with.
    pub(super) fn most(&self) -> f64 {
        (1.0 + self.relative_std * 12f64.sqrt()) * self.straggler_factor
    }

    /// The time of one action whose mean is `ns`, keyed by what identifies the action.
    pub(super) fn apply(&self, ns: u64, worker: u64, op: u64, batch: u64, micro: u64) -> u64 {
        let key = [worker, op, batch, micro];
        let key = key.into_iter().fold(self.seed, |key, part| mix(key ^ mix(part)));
        let draw = mix(key);
        // Four uniform numbers of 16 bits: their sum has variance 4/12, so √3 makes it 1.
        let sum: u64 = (0..4).map(|i| (draw >> (16 * i)) & 0xffff).sum();
        let normal = (sum as f64 / 65536.0 - 2.0 + 2.0 / 65536.0) * 3f64.sqrt();
        let mut factor = (1.0 + self.relative_std * normal).max(0.0);
        // 53 bits, as many as a float holds exactly.
        let uniform = (mix(draw) >> 11) as f64 / (1u64 << 53) as f64;
        if uniform < self.straggler_probability {
            factor *= self.straggler_factor;
        }
        (ns as f64 * factor).round() as u64
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood, 2014): every bit of the input stirs every bit of the output.
fn mix(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
