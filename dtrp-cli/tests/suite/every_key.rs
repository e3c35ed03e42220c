//! A sample of what `every_key` in the program's own tests does for all keys and values, through the program itself.

use crate::support::{Place, TINY};

const VALUES: [&str; 11] = [
    "null", "''", "-1", "0", "1e308", ".nan", ".inf", "[1]", "{a: 1}", "wrong", "LONG",
];

/// The paths of the lines of a YAML text as the program writes it.
fn keys(yaml: &str) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut keys = Vec::new();
    for line in yaml.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        let Some((key, _)) = line.trim_start().split_once(':') else {
            continue;
        };
        if !key.starts_with('-') {
            path.truncate(depth);
            path.push(key);
            keys.push(path.join("."));
        }
    }
    keys
}

#[test]
fn each_with_one_value_is_refused_or_works() {
    let place = Place::new();
    let shown = place.dtrp(&["config", "show"]);
    let keys = keys(&shown.stdout);
    assert!(keys.len() > 60, "{keys:?}");
    let long = "x".repeat(10_000);
    for (index, key) in keys.iter().enumerate() {
        let value = VALUES[index % VALUES.len()];
        let set = format!("{key}={}", if value == "LONG" { &long } else { value });
        let mut args = vec!["train", "--dry-run"];
        args.extend(TINY.iter().flat_map(|set| ["--set", set]));
        args.extend(["--set", &set]);
        let ran = place.dtrp(&args);
        let what = format!("{key}={value}: exit code {}: {}", ran.code, ran.stderr);
        assert!(matches!(ran.code, 0 | 2 | 3 | 5), "{what}");
        assert!(ran.code == 0 || ran.stderr.contains(key), "{what}");
        assert!(ran.stderr.len() < 3_000 && !ran.stderr.contains("panicked"), "{what}");
    }
    assert!(!place.file("runs").exists());
}
