//! House rules that no compiler checks: the map of the code, as `ARCHITECTURE.md` draws it.
//!
//! | module | rule |
//! |---|---|
//! | [`dependencies`] | which packages a package must not need |
//! | [`map`] | what a room must not name |
//! | [`cycles`] | no rooms of one crate that need each other |
//! | [`imports`] | one block of imports |
//!
//! [`sources`] are the files, [`names`] what they name, [`tokens`] what they are made of.

mod cycles;
mod dependencies;
mod imports;
mod map;
mod names;
mod sources;
mod tokens;

use crate::context::Context;
use crate::error::{Error, Result};
use std::path::Path;

/// Checks all rules and reports every breach.
pub(crate) fn check(context: &Context) -> Result<()> {
    let mut breaches = dependencies::check(context)?;
    breaches.extend(check_sources(&context.workspace)?);
    if breaches.is_empty() {
        return Ok(());
    }
    Err(Error::Check(format!(
        "house rules are broken:\n  {}",
        breaches.join("\n  ")
    )))
}

/// The rules that the files show by themselves.
fn check_sources(workspace: &Path) -> Result<Vec<String>> {
    let sources = sources::all(workspace)?;
    Ok([map::check, cycles::check, imports::check]
        .map(|check| check(&sources))
        .concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_keeps_the_rules() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let breaches = check_sources(workspace).unwrap();
        assert!(
            breaches.is_empty(),
            "house rules are broken:\n  {}",
            breaches.join("\n  ")
        );
    }
}
