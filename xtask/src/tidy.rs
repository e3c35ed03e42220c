//! House rules that no compiler checks: who may use the tensor library, and who depends on whom.
//!
//! ```text
//! dtrp-text                    no tensor library at all, no crate of ours
//! dtrp-predictors, dtrp-data   no tensor library at all, of our crates only dtrp-text
//! dtrp-core                    tch only in src/torch (and tests/torch*), behind the default feature `torch`
//! dtrp-models, dtrp-cli        may use tch
//! xtask                        no crate of ours, no tch
//! ```

use crate::cargo;
use crate::context::Context;
use crate::error::{Error, Result};
use std::path::Path;

/// Crates of the workspace and of libtorch start with one of these.
const OURS: &str = "dtrp-";
const TENSORS: [&str; 2] = ["tch", "torch-sys"];

/// The ground, which every crate of ours but `xtask` may stand on.
const GROUND: &str = "dtrp-text";

/// A package, its feature arguments, and the dependencies (prefix or name) that it must not have, even indirectly; the prefix
/// of our crates leaves out the ground.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str]);

const RULES: [Rule; 5] = [
    (GROUND, &["--all-features"], &["tch", "torch-sys", OURS]),
    ("dtrp-predictors", &["--all-features"], &["tch", "torch-sys", OURS]),
    ("dtrp-data", &["--all-features"], &["tch", "torch-sys", OURS]),
    (
        "dtrp-core",
        &["--no-default-features"],
        &["tch", "torch-sys", "dtrp-models", "dtrp-cli"],
    ),
    ("xtask", &[], &["tch", "torch-sys", OURS, GROUND]),
];

/// Where in `dtrp-core` the tensor library may be named.
const TENSOR_FILES: [&str; 3] = ["src/torch/", "src/torch.rs", "tests/torch"];

/// Checks all rules and reports every breach.
pub(crate) fn check(context: &Context) -> Result<()> {
    let mut breaches = Vec::new();
    for (package, features, forbidden) in RULES {
        let mut tree = context.cargo();
        tree.args([
            "tree",
            "--package",
            package,
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ]);
        tree.args(["--format", "{p}"]).args(features);
        breaches.extend(forbidden_packages(package, forbidden, &cargo::read(&mut tree)?));
    }
    tensor_words(&context.workspace.join("dtrp-core"), Path::new(""), &mut breaches)?;
    if breaches.is_empty() {
        return Ok(());
    }
    Err(Error::Check(format!(
        "house rules are broken:\n  {}",
        breaches.join("\n  ")
    )))
}

/// The forbidden ones among the lines `name version (…)` of `cargo tree`.
fn forbidden_packages(package: &str, forbidden: &[&str], tree: &str) -> Vec<String> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let is_bad = |name: &str| {
        let rule = |rule: &&str| name == *rule || (rule.ends_with('-') && name.starts_with(*rule) && name != GROUND);
        name != package && forbidden.iter().any(rule)
    };
    let mut bad: Vec<_> = names.filter(|name| is_bad(name)).collect();
    bad.sort_unstable();
    bad.dedup();
    bad.iter().map(|name| format!("{package} depends on {name}")).collect()
}

/// Finds uses of the tensor library in files of `dtrp-core` where it does not belong.
fn tensor_words(root: &Path, folder: &Path, breaches: &mut Vec<String>) -> Result<()> {
    let here = root.join(folder);
    let unreadable = || Error::io(format!("read {}", here.display()));
    for entry in std::fs::read_dir(&here).map_err(unreadable())? {
        let entry = entry.map_err(unreadable())?;
        let path = folder.join(entry.file_name());
        let name = path.to_string_lossy();
        if TENSOR_FILES
            .iter()
            .any(|allowed| format!("{name}/").starts_with(allowed))
        {
            continue;
        }
        if entry.path().is_dir() {
            if name != "target" {
                tensor_words(root, &path, breaches)?;
            }
        } else if name.ends_with(".rs") {
            let file = entry.path();
            let text = std::fs::read_to_string(&file).map_err(Error::io(format!("read {}", file.display())))?;
            let lines = text.lines().enumerate().filter(|(_, line)| uses_tensors(line));
            breaches.extend(lines.map(|(number, _)| {
                format!(
                    "dtrp-core/{name}:{} uses the tensor library outside src/torch",
                    number + 1
                )
            }));
        }
    }
    Ok(())
}

/// Whether a line of code names the crate: `use tch;`, `tch::Tensor`, `extern crate tch`.
fn uses_tensors(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    TENSORS.iter().map(|name| name.replace('-', "_")).any(|name| {
        code.match_indices(&name).any(|(at, _)| {
            let (before, after) = (&code[..at], &code[at + name.len()..]);
            let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
            let words = before.trim_end();
            whole && (after.starts_with("::") || words.ends_with("use") || words.ends_with("crate"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_names_the_tensor_library() {
        let check = |line: &str, uses| assert_eq!(uses_tensors(line), uses, "{line}");
        check("use tch::Tensor;", true);
        check("pub use tch as t;", true);
        check("fn f(x: &tch::Tensor) {}", true);
        check("torch_sys::c_tensor", true);
        check("extern crate tch;", true);
        check("// use tch::Tensor;", false);
        check("//! see [`tch::Tensor`]", false);
        check("let stretch = batch::new();", false);
        check("switch::x", false);
        check("let message = \"tch is needed\";", false);
    }

    #[test]
    fn dependencies() {
        let rule = |package: &str| RULES.iter().find(|rule| rule.0 == package).unwrap().2;
        let tree = "dtrp-data v0.1.0 (/w/dtrp-data)\nserde v1.0.2\ntch v0.24.0\nserde v1.0.2 (*)\ndtrp-core v0.1.0\n\
                    dtrp-text v0.1.0\n";
        let found = forbidden_packages("dtrp-data", rule("dtrp-data"), tree);
        assert_eq!(found, ["dtrp-data depends on dtrp-core", "dtrp-data depends on tch"]);
        let found = forbidden_packages("xtask", rule("xtask"), tree);
        let bad = ["core", "data", "text"].map(|name| format!("xtask depends on dtrp-{name}"));
        assert_eq!(found, [&bad[..], &["xtask depends on tch".to_owned()]].concat());
        assert!(forbidden_packages("xtask", rule("xtask"), "xtask v0.1.0\nsha2 v0.11.0\n").is_empty());
    }

    #[test]
    fn files() {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("src/lib.rs", "mod torch;\n"),
            ("src/torch/mod.rs", "use tch::Tensor;\n"),
            ("tests/torch_stage.rs", "use tch::Tensor;\n"),
            ("src/engine/worker.rs", "//! no tensors\nuse tch::Tensor;\n"),
        ] {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut breaches = Vec::new();
        tensor_words(root.path(), Path::new(""), &mut breaches).unwrap();
        let text = "dtrp-core/src/engine/worker.rs:2 uses the tensor library outside src/torch";
        assert_eq!(breaches, [text]);
    }
}
