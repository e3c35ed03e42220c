//! `cargo xtask build`: builds the default members.

use crate::cargo;
use crate::context::Context;
use crate::error::Result;

/// Builds, optimised or not.
pub(crate) fn run(context: &Context, release: bool) -> Result<()> {
    let mut build = context.cargo();
    build.arg("build");
    if release {
        build.arg("--release");
    }
    cargo::run(&mut build)
}
