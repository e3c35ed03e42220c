//! `cargo xtask dtrp`, `train` and `bench`: builds the program in release and becomes it.

use crate::cargo;
use crate::context::Context;
use crate::error::Result;
use std::ffi::OsString;

/// Runs `dtrp ARGS` in the folder where the user is.
pub(crate) fn run(context: &Context, args: &[OsString]) -> Result<()> {
    let program = cargo::build_dtrp(context)?;
    let mut dtrp = context.command(program);
    dtrp.args(args);
    cargo::become_program(dtrp)
}
