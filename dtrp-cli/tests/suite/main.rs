//! The program, run as a user runs it.

mod bad_input;
mod cuts;
mod linking;
mod output;
mod results;
mod support;
