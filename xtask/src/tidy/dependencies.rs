//! Which packages a package must not need, even indirectly.

use crate::cargo;
use crate::context::Context;
use crate::error::Result;

/// Crates of the workspace start with this.
const OURS: &str = "dtrp-";

/// The ground, on which every crate of ours may stand.
const GROUND: &str = "dtrp-text";

/// A package, its feature arguments, and the dependencies (prefix or name) that it must not have, even indirectly; the prefix
/// of our crates leaves out the ground.
type Rule = (&'static str, &'static [&'static str], &'static [&'static str]);

const RULES: [Rule; 7] = [
    (GROUND, &["--all-features"], &["tch", "torch-sys", OURS]),
    ("dtrp-build", &[], &["tch", "torch-sys", OURS, GROUND]),
    ("dtrp-predictors", &["--all-features"], &["tch", "torch-sys", OURS]),
    ("dtrp-data", &["--all-features"], &["tch", "torch-sys", OURS]),
    (
        "dtrp-core",
        &["--no-default-features"],
        &["tch", "torch-sys", "dtrp-build", "dtrp-data", "dtrp-models"],
    ),
    (
        "dtrp-train",
        &["--all-features"],
        &["clap", "indicatif", "serde_yaml", "signal-hook", "tracing-subscriber"],
    ),
    ("xtask", &[], &["tch", "torch-sys", OURS, GROUND]),
];

/// What is needed and must not be.
pub(super) fn check(context: &Context) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for (package, features, forbidden) in RULES {
        let mut tree = context.cargo();
        tree.args(["tree", "--package", package, "--edges", "normal,build"]);
        tree.args(["--prefix", "none", "--format", "{p}"]).args(features);
        breaches.extend(forbidden_packages(package, forbidden, &cargo::read(&mut tree)?));
    }
    Ok(breaches)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies() {
        let tree = "dtrp-data v0.1.0 (/w/dtrp-data)\nserde v1.0.2\ntch v0.24.0\nserde v1.0.2 (*)\ndtrp-core v0.1.0\n";
        let found = forbidden_packages("dtrp-data", RULES[3].2, tree);
        assert_eq!(found, ["dtrp-data depends on dtrp-core", "dtrp-data depends on tch"]);
        let ground = "xtask v0.1.0\ndtrp-text v0.1.0\n";
        assert_eq!(
            forbidden_packages("xtask", RULES[6].2, ground),
            ["xtask depends on dtrp-text"]
        );
        assert!(forbidden_packages("dtrp-data", RULES[3].2, ground).is_empty());
        assert!(forbidden_packages("xtask", RULES[6].2, "xtask v0.1.0\nsha2 v0.11.0\n").is_empty());
    }
}
