//! What is compared: names with the keys that they set, from the command line, from a file, or every method there is.

use crate::config::{Set, parse_yaml};
use crate::error::Error;
use dtrp_core::schedule::Method;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A name and the keys that it sets.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) sets: Vec<Set>,
}

impl Variant {
    /// The keys as `--set` takes them.
    pub(super) fn texts(&self) -> Vec<String> {
        self.sets.iter().map(|set| set.text().to_owned()).collect()
    }
}

/// What was typed for `--variant`.
#[derive(Debug, Clone)]
pub(super) enum Given {
    One(Variant),
    /// A YAML file of several.
    File(PathBuf),
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        let yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if yaml && !text.contains('=') {
            return crate::config::expanded(path).map(Given::File);
        }
        text.parse().map(Given::One)
    }
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, sets) = text
            .split_once(':')
            .ok_or("write it as NAME: PATH=VALUE ..., or name a YAML file")?;
        let sets = words(sets).into_iter().map(|set| {
            if !set.contains('=') {
                return Err(format!("`{set}` is not PATH=VALUE"));
            }
            set.parse().map_err(|message| format!("`{set}`: {message}"))
        });
        Ok(Self {
            name: name.trim().to_owned(),
            sets: sets.collect::<Result<_, _>>()?,
        })
    }
}

/// `PATH=VALUE PATH=VALUE ...` at the blanks that part them: not those in brackets or quotes, nor those before a word without
/// `=`, which goes on with the value before it (`2 GB`).
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in parts(text, char::is_whitespace) {
        match words.last_mut() {
            _ if word.is_empty() => {}
            Some(last) if !word.contains('=') => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => words.push(word),
        }
    }
    words
}

/// What stands between these characters where they are in no brackets and no quotes.
pub(super) fn parts(text: &str, separates: fn(char) -> bool) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quote) = (0_usize, None);
    for c in text.chars() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(c),
            ('{' | '[', None) => depth += 1,
            ('}' | ']', None) => depth = depth.saturating_sub(1),
            (_, None) if separates(c) && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

/// All that were given, or every method.
///
/// # Errors
///
/// [`Error::Fit`] where a file is not one of variants, or two have one name.
pub(super) fn chosen(given: &[Given]) -> Result<Vec<Variant>, Error> {
    let mut variants = Vec::new();
    for given in given {
        match given {
            Given::One(variant) => variants.push(variant.clone()),
            Given::File(path) => variants.extend(read(path)?),
        }
    }
    if variants.is_empty() {
        return every_method();
    }
    let mut names = BTreeSet::new();
    match variants.iter().find(|variant| !names.insert(&variant.name)) {
        Some(twice) => Err(Error::Fit(format!(
            "two variants are called `{}`: give each a name of its own",
            twice.name
        ))),
        None => Ok(variants),
    }
}

/// A YAML file: names, and below each the keys that it sets, as sections or as paths.
fn read(path: &Path) -> Result<Vec<Variant>, Error> {
    let wrong = |message: &str| Error::Fit(format!("{}: not variants: {message}", path.display()));
    let text = dtrp_text::read_text(path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let tree = parse_yaml(&text).map_err(|message| wrong(&message))?;
    let Value::Object(named) = tree else {
        return Err(wrong("it must have names, and below each the keys that it sets"));
    };
    let mut variants = Vec::new();
    for (name, keys) in named {
        let Value::Object(keys) = keys else {
            return Err(wrong(&format!("`{name}` must be a section of keys and values")));
        };
        let sets = keys.iter().map(|(key, value)| format!("{key}={value}").parse());
        let sets = sets.collect::<Result<_, String>>();
        let sets = sets.map_err(|message| wrong(&format!("`{name}`: {message}")))?;
        variants.push(Variant { name, sets });
    }
    if variants.is_empty() {
        return Err(wrong("there are none"));
    }
    Ok(variants)
}

/// Every method in each order; those with micro-batches that need them, with four.
fn every_method() -> Result<Vec<Variant>, Error> {
    let mut variants = Vec::new();
    for method in Method::all() {
        for order in method.orders {
            let mut sets = vec![format!("method.name={}", method.name), format!("method.order={order}")];
            let mut name = method.name.to_owned();
            if method.orders.len() > 1 {
                let _ = write!(name, " {order}");
            }
            if method.flushes {
                sets.push("method.micro_batches=4".to_owned());
                name.push_str(" m=4");
            }
            let sets = sets.iter().map(|set| set.parse());
            let sets = sets.collect::<Result<_, String>>().map_err(Error::Bug)?;
            variants.push(Variant { name, sets });
        }
    }
    Ok(variants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(text: &str) -> Vec<String> {
        let variant: Variant = text.parse().unwrap();
        variant.sets.iter().map(|set| set.text().to_owned()).collect()
    }

    #[test]
    fn variants_are_a_name_and_keys() {
        let variant: Variant = "eager m=4: method.order=eager method.micro_batches=4".parse().unwrap();
        assert_eq!(variant.name, "eager m=4");
        assert_eq!(
            sets("a: method.order=eager method.micro_batches=4"),
            ["method.order=eager", "method.micro_batches=4"]
        );
        assert!("eager".parse::<Variant>().is_err());
        let error = "eager: method.order".parse::<Variant>().unwrap_err();
        assert!(error.contains("PATH=VALUE"), "{error}");
        assert!("a: x..y=1".parse::<Variant>().is_err());
    }

    #[test]
    fn values_may_have_blanks() {
        for (text, expected) in [
            ("a: model={name: tiny, depth: 3}", &["model={name: tiny, depth: 3}"][..]),
            (
                "a:  method.cuts=[3, 7]   method.memory_budget=2 GB x=1",
                &["method.cuts=[3, 7]", "method.memory_budget=2 GB", "x=1"],
            ),
            (
                "a: data.dir='my data = x' y={a: [1, 2]}",
                &["data.dir='my data = x'", "y={a: [1, 2]}"],
            ),
            ("a:", &[]),
        ] {
            assert_eq!(sets(text), expected, "{text}");
        }
    }

    #[test]
    fn a_file_has_several() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("v.yaml");
        std::fs::write(
            &file,
            "bp: {method.name: bp}\nfour:\n  method: {modules: 4, order: eager}\n",
        )
        .unwrap();
        let given: Given = file.to_str().unwrap().parse().unwrap();
        let variants = chosen(std::slice::from_ref(&given)).unwrap();
        let names: Vec<_> = variants.iter().map(|variant| variant.name.as_str()).collect();
        assert_eq!(names, ["bp", "four"]);
        assert_eq!(variants[0].sets[0].text(), "method.name=\"bp\"");
        assert!(variants[1].sets[0].text().starts_with("method={"));
        let twice = chosen(&[given, Given::One("bp: run.seed=1".parse().unwrap())]);
        assert!(twice.unwrap_err().to_string().contains("two variants are called `bp`"));
        for (text, says) in [
            ("[1]", "it must have names"),
            ("a: 1", "`a` must be a section"),
            ("", "it must"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn every_method_is_one() {
        assert!(every_method().unwrap().len() > Method::all().len());
    }
}
