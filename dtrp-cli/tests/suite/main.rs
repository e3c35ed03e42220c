//! The program, run as a user runs it.

mod bad_input;
#[path = "../../../dtrp-predictors/tests/build/mod.rs"]
mod build;
mod cuts;
mod linking;
mod output;
mod plugins;
mod predictors;
mod results;
mod support;
