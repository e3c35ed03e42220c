//! `cargo xtask doc`: the documentation of the workspace, private items included.

use crate::cargo;
use crate::context::Context;
use crate::error::Result;
use std::ffi::OsString;

/// Runs `cargo doc` with these arguments added.
pub(crate) fn run(context: &Context, args: &[OsString]) -> Result<()> {
    let mut doc = context.cargo();
    doc.args(["doc", "--workspace", "--no-deps", "--document-private-items"])
        .args(args);
    cargo::run(&mut doc)
}
