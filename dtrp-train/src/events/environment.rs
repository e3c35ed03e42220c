//! Where and when a run ran, for whoever wants to repeat or compare it.

use dtrp_core::torch::build_information;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The machine under a run, and when it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Environment {
    /// When training began: `2026-03-01T14:05:09Z`.
    pub started: String,
    /// The processor's name, as Linux gives it.
    pub cpu: Option<String>,
    /// Processors that this process may use.
    pub cpus: Option<usize>,
    /// Of the libtorch that computed.
    pub libtorch: Option<String>,
    /// The system with its version, as Linux gives it.
    pub system: Option<String>,
}

impl Environment {
    /// Of this process, in a run that began so long ago.
    pub(crate) fn now(since: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let libtorch = build_information();
        let version = libtorch.split_once("TORCH_VERSION=").map(|(_, rest)| rest);
        let version = version.and_then(|rest| rest.split([',', ' ', ';', '\n']).next());
        Self {
            started: utc(now.saturating_sub(since).as_secs()),
            cpu: cpu(),
            cpus: std::thread::available_parallelism().ok().map(usize::from),
            libtorch: version.map(str::to_owned),
            system: system(),
        }
    }
}

/// The name of the first processor.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// `Linux 6.12.9`
fn system() -> Option<String> {
    let read = |name| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
    Some(format!("{} {}", read("ostype")?.trim(), read("osrelease")?.trim()))
}

/// Seconds since 1970 as date and time.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that the leap day comes last; 719,468 days from the first of them to 1970.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + later;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), date);
        }
    }

    #[test]
    fn what_is_known_here() {
        let environment = Environment::now(Duration::from_secs(5));
        assert!(environment.cpus.is_some_and(|cpus| cpus > 0));
        assert!(environment.libtorch.is_some_and(|version| version.starts_with("2.")));
    }
}
