//! Which tensors of a file are a network's: they may all stand under a prefix that a wrapper has put before them.

use std::collections::{BTreeMap, BTreeSet};

/// What a file has of what a network needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// Stands before every name in the file, such as `module.`; mostly nothing.
    pub prefix: String,
    /// Needed, and not there.
    pub missing: Vec<String>,
    /// There, with the prefix, and not needed. PyTorch's counters of batches are not among them.
    pub unneeded: Vec<String>,
    /// Other prefixes under which everything needed is there too: which one is meant cannot be known. Empty where the names
    /// stand there without any prefix.
    pub others: Vec<String>,
}

/// Finds the prefix under which most of the names needed are there: none if they are there as they are, else whatever wrappers
/// put before them (`module.`, `_orig_mod.`, `model.`, `backbone.`, several of them).
pub fn match_names<'a>(needed: &[&str], given: impl IntoIterator<Item = &'a str>) -> Match {
    let given: BTreeSet<&str> = given.into_iter().collect();
    // A prefix ends in a dot, and its rest is a name that is needed.
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    let wanted: BTreeSet<&str> = needed.iter().copied().collect();
    for name in &given {
        let ends = name.match_indices('.').map(|(dot, _)| dot + 1);
        for end in std::iter::once(0).chain(ends) {
            if wanted.contains(&name[end..]) {
                *found.entry(&name[..end]).or_default() += 1;
            }
        }
    }
    let most = found.values().copied().max().unwrap_or(0);
    let mut best = found
        .iter()
        .filter(|(_, count)| **count == most)
        .map(|(prefix, _)| *prefix);
    // The empty one comes first. A few names that happen to end alike are no prefix.
    let prefix = best.next().filter(|_| 2 * most > wanted.len()).unwrap_or_default();
    let others = best.filter(|_| !prefix.is_empty() && most == wanted.len());
    let others = others.map(str::to_owned).collect();
    let missing = needed
        .iter()
        .filter(|name| !given.contains(format!("{prefix}{name}").as_str()));
    let needed_here = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| wanted.contains(rest));
    let counter = |name: &str| name.ends_with("num_batches_tracked");
    let unneeded = given.iter().filter(|name| !counter(name) && !needed_here(name));
    Match {
        prefix: prefix.to_owned(),
        missing: missing.map(|name| (*name).to_owned()).collect(),
        unneeded: unneeded.map(|name| (*name).to_owned()).collect(),
        others,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: [&str; 3] = ["conv1.weight", "bn1.bias", "fc.weight"];

    fn found(prefix: &str, more: &[&str]) -> Match {
        let names: Vec<String> = NEEDED.iter().map(|name| format!("{prefix}{name}")).collect();
        match_names(&NEEDED, names.iter().map(String::as_str).chain(more.iter().copied()))
    }

    #[test]
    fn prefixes_are_recognised() {
        for prefix in [
            "",
            "module.",
            "_orig_mod.",
            "model.",
            "module._orig_mod.",
            "net.backbone.",
        ] {
            let expected = Match {
                prefix: prefix.to_owned(),
                ..Match::default()
            };
            assert_eq!(found(prefix, &[]), expected);
        }
    }

    #[test]
    fn what_is_missing_and_what_is_not_needed() {
        let names = [
            "module.conv1.weight",
            "module.bn1.bias",
            "module.extra",
            "module.bn1.num_batches_tracked",
            "epoch",
        ];
        let found = match_names(&NEEDED, names);
        assert_eq!(found.prefix, "module.");
        assert_eq!(found.missing, ["fc.weight"]);
        assert_eq!(found.unneeded, ["epoch", "module.extra"]);
        let other = match_names(&NEEDED, ["a", "b.c", "layer1.conv1.weight"]);
        assert_eq!(
            (other.prefix.as_str(), other.missing.as_slice()),
            ("", &NEEDED.map(str::to_owned)[..])
        );
    }

    #[test]
    fn two_networks_in_one_file() {
        let twice = ["ema.conv1.weight", "ema.bn1.bias", "ema.fc.weight"];
        assert_eq!(found("model.", &twice).others, ["model."]);
        // Names as they are need no choice.
        assert!(found("", &twice).others.is_empty());
    }
}
