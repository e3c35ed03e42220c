//! The program, run as a user runs it.

mod bad_input;
#[cfg(unix)]
mod broken_files;
#[path = "../../../dtrp-predictors/tests/build/mod.rs"]
mod build;
mod configs;
mod cuts;
mod data;
mod full_disk;
mod linking;
#[cfg(target_os = "linux")]
mod misbehaving;
mod names;
mod numbers;
mod output;
mod plugins;
mod predictors;
mod results;
mod run_folders;
mod sets;
mod streams;
mod support;
