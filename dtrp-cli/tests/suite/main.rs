//! The program, run as a user runs it.

mod bad_input;
#[cfg(unix)]
mod broken_files;
mod configs;
mod data;
mod linking;
mod output;
mod results;
mod sets;
mod support;
