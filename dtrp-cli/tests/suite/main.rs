//! The program, run as a user runs it.

mod bad_input;
#[cfg(unix)]
mod broken_files;
mod browser;
#[path = "../../../dtrp-predictors/tests/build/mod.rs"]
mod build;
mod comparing;
mod comparisons;
mod configs;
#[cfg(unix)]
mod corpus;
mod cuts;
mod data;
mod documented;
mod every_key;
mod exported;
mod exporting;
mod faults;
mod full_disk;
mod habits;
#[cfg(target_os = "linux")]
mod hung_reads;
mod linking;
mod log_format;
mod logging;
#[cfg(target_os = "linux")]
mod misbehaving;
mod names;
mod numbers;
mod output;
mod paths;
mod peers;
mod places;
mod plugins;
mod predictors;
mod reports;
mod results;
mod resuming;
mod run_folders;
mod sets;
mod streams;
mod support;
mod terminals;
#[cfg(unix)]
mod using;
