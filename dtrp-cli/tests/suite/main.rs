//! The program, run as a user runs it.

mod bad_input;
mod configs;
mod data;
mod linking;
mod output;
mod results;
mod support;
