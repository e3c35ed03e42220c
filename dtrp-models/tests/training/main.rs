//! Training compared with oracles: what every method must compute, whoever executes it, on a small network.

mod averages;
mod delayed;
mod exported;
mod hand;
mod lasting;
mod losses;
mod methods;
mod oracle;
#[cfg(unix)]
mod processes;
#[cfg(unix)]
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../../../dtrp-core/tests/common/ranks.rs"]
mod ranks;
mod rates;
mod reference;
mod resumed;
mod run;
