//! What may be depended on: `cargo deny` with `deny.toml`.

use crate::cargo;
use crate::context::Context;
use crate::error::{Error, Result};
use std::process::Command;

/// Licences, banned crates and sources: all that needs no network beyond the crates themselves.
pub(crate) fn check(context: &Context) -> Result<()> {
    if !is_there(context) {
        let text = "cargo-deny is missing, which checks the dependencies' licences and sources\n  \
                    what to do: cargo install --locked cargo-deny";
        return Err(Error::Check(text.to_owned()));
    }
    // Two versions of a crate are worth a look, but not in every log.
    let args = [
        "--log-level",
        "error",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ];
    cargo::run(deny(context).args(args))
}

/// Known faults of the dependencies. Their database is a git repository, which cannot be had everywhere.
pub(crate) fn advisories(context: &Context) -> Result<()> {
    let mut fetch = deny(context);
    fetch.args(["fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0");
    let output = fetch
        .output()
        .map_err(Error::io(format!("start `{}`", cargo::describe(&fetch))))?;
    if output.status.success() {
        return cargo::run(deny(context).args(["check", "advisories"]));
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.unwrap_or("it says nothing").trim();
    Err(Error::Skipped(format!(
        "the database of advisories cannot be had ({last})"
    )))
}

fn deny(context: &Context) -> Command {
    let mut deny = context.cargo();
    deny.arg("deny");
    deny
}

fn is_there(context: &Context) -> bool {
    let output = deny(context).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// A workspace with one dependency under this licence, and our `deny.toml`.
    fn workspace(licence: &str) -> (tempfile::TempDir, Context) {
        let root = tempfile::tempdir().unwrap();
        let mut context = Context::from_process().unwrap();
        let put = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let package = |name: &str, licence: &str| {
            format!("[package]\nname = '{name}'\nversion = '1.0.0'\nlicense = '{licence}'\npublish = false\n")
        };
        put(
            "Cargo.toml",
            &(package("ours", "MIT") + "[dependencies]\ntheirs = { path = 'theirs' }\n[workspace]\n"),
        );
        put("theirs/Cargo.toml", &package("theirs", licence));
        for lib in ["src/lib.rs", "theirs/src/lib.rs"] {
            put(lib, "");
        }
        let config = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap()
            .join("deny.toml");
        fs::copy(config, root.path().join("deny.toml")).unwrap();
        context.workspace = root.path().to_path_buf();
        (root, context)
    }

    #[test]
    fn forbidden_licences_are_refused() {
        if !is_there(&Context::from_process().unwrap()) {
            println!("skipped: cargo-deny is not installed");
            return;
        }
        for licence in ["MIT", "Apache-2.0 OR GPL-3.0-only", "BSD-3-Clause AND ISC"] {
            check(&workspace(licence).1).unwrap_or_else(|error| panic!("{licence}: {error}"));
        }
        // That of the root certificates is allowed for them alone.
        for licence in ["GPL-3.0-only", "AGPL-3.0-only AND MIT", "CDLA-Permissive-2.0"] {
            let error = check(&workspace(licence).1).unwrap_err();
            assert!(matches!(error, Error::Child { .. }), "{licence}: {error}");
        }
    }

    #[test]
    fn without_the_tool_it_is_said_what_to_install() {
        let (root, context) = workspace("MIT");
        let context = context.with_var("PATH", root.path()).with_var("CARGO", "/bin/false");
        let error = check(&context).unwrap_err().to_string();
        assert!(error.contains("cargo install --locked cargo-deny"), "{error}");
    }

    /// A database that cannot be reached is told, neither passed over nor a failure.
    #[test]
    fn a_database_that_cannot_be_had_is_told() {
        let (_root, context) = workspace("MIT");
        let context = context.with_var("CARGO", "/bin/false");
        let error = advisories(&context).unwrap_err();
        assert!(matches!(error, Error::Skipped(_)), "{error}");
        assert!(error.to_string().contains("cannot be had"), "{error}");
    }
}
