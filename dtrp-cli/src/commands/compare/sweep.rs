//! `dtrp sweep`: the variants are all combinations of values of some keys.

use super::variants::{Variant, parts};
use crate::config::Set;
use crate::error::Error;
use std::str::FromStr;

/// The most combinations.
const MOST: usize = 10_000;

/// A key with the values that it takes in turn, as typed for `--set-list`.
#[derive(Debug, Clone)]
pub(super) struct List {
    path: String,
    sets: Vec<Set>,
}

impl FromStr for List {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, values) = text
            .split_once('=')
            .ok_or("write it as PATH=VALUE,VALUE..., such as optimizer.lr=0.1,0.05")?;
        let path = path.trim();
        let mut sets: Vec<Set> = Vec::new();
        for value in parts(values, |c| c == ',') {
            let value = value.trim();
            if value.is_empty() {
                return Err(format!("a value is missing between the commas of `{values}`"));
            }
            let set: Set = format!("{path}={value}").parse()?;
            if sets.iter().any(|other| other.value() == set.value()) {
                return Err(format!("the value {value} stands there twice"));
            }
            sets.push(set);
            if sets.len() > MOST {
                return Err(format!("{path} has more than {MOST} values: give fewer"));
            }
        }
        if sets.is_empty() {
            return Err(format!("{path} has no values"));
        }
        Ok(Self {
            path: path.to_owned(),
            sets,
        })
    }
}

/// Every combination, those of the last key next to each other. Each is called what it sets.
///
/// # Errors
///
/// [`Error::Fit`] where a key has two lists, or there are too many combinations.
pub(super) fn combinations(lists: &[List]) -> Result<Vec<Variant>, Error> {
    for (index, list) in lists.iter().enumerate() {
        let earlier = lists[..index].iter().flat_map(|earlier| &earlier.sets);
        if earlier.into_iter().any(|set| set.concerns(&list.path)) {
            return Err(Error::Fit(format!(
                "--set-list: {} has a list already: give all its values in one",
                list.path
            )));
        }
    }
    let count = lists
        .iter()
        .try_fold(1_usize, |all, list| all.checked_mul(list.sets.len()));
    if count.is_none_or(|count| count > MOST) {
        return Err(Error::Fit(format!(
            "--set-list: there are more than {MOST} combinations of these values: give fewer"
        )));
    }
    let mut variants = vec![Vec::new()];
    for list in lists {
        let with = |sets: &Vec<Set>| {
            let sets = sets.clone();
            let each = move |set: &Set| sets.iter().chain([set]).cloned().collect();
            list.sets.iter().map(each).collect::<Vec<Vec<Set>>>()
        };
        variants = variants.iter().flat_map(with).collect();
    }
    let named = |sets: Vec<Set>| {
        let texts: Vec<_> = sets.iter().map(Set::text).collect();
        Variant {
            name: texts.join(" "),
            sets,
        }
    };
    Ok(variants.into_iter().map(named).collect())
}

/// What each combination sets, of lists as they are typed.
///
/// # Errors
///
/// What the program would say.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn combined(lists: &[&str]) -> Result<Vec<Vec<String>>, String> {
    let lists = lists
        .iter()
        .map(|list| list.parse())
        .collect::<Result<Vec<List>, _>>()?;
    let variants = combinations(&lists).map_err(|error| error.to_string())?;
    Ok(variants.iter().map(Variant::texts).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(lists: &[&str]) -> Result<Vec<String>, String> {
        let lists = lists
            .iter()
            .map(|list| list.parse())
            .collect::<Result<Vec<List>, _>>()?;
        let variants = combinations(&lists).map_err(|error| error.to_string())?;
        Ok(variants.into_iter().map(|variant| variant.name).collect())
    }

    #[test]
    fn combinations_are_called_what_they_set() {
        let expected = ["a.b=1 c=x", "a.b=1 c=y", "a.b=2 c=x", "a.b=2 c=y"];
        assert_eq!(names(&["a.b=1, 2", "c=x,y"]).unwrap(), expected);
        // Commas in brackets and quotes part nothing.
        let lists = [
            "method.cuts=[3, 6],[2,5],auto",
            "p={name: damped, options: {rho: 0.5}},'a,b'",
        ];
        assert_eq!(names(&lists).unwrap().len(), 6);
        assert_eq!(names(&["a=1"]).unwrap(), ["a=1"]);
    }

    #[test]
    fn a_value_of_a_list_is_a_list_of_its_own() {
        for list in ["a=1, 2 ,3", "a=[3, 6],{b: c, d: [e]},'f,g',\"h\",auto", "a.b= x y ,~"] {
            for set in combined(&[list]).unwrap() {
                let alone: Vec<_> = set.iter().map(String::as_str).collect();
                assert_eq!(combined(&alone).unwrap(), std::slice::from_ref(&set), "{list}");
            }
        }
    }

    #[test]
    fn what_makes_no_sweep_is_told() {
        for (lists, says) in [
            (&["a"][..], "PATH=VALUE"),
            (&["a="], "missing"),
            (&["a=1,,2"], "missing"),
            (&["a=1,1"], "twice"),
            (&["a..b=1"], "not a path"),
            (&["a=1,2", "a.b=3"], "a.b has a list already"),
        ] {
            let error = names(lists).err().unwrap_or_default();
            assert!(error.contains(says), "{lists:?}: {error}");
        }
        let most: Vec<String> = (0..=MOST).map(|number| number.to_string()).collect();
        let error = names(&[&format!("a={}", most.join(","))]).unwrap_err();
        assert!(error.contains("a has more than 10000 values"), "{error}");
        let many: Vec<String> = (0..150).map(|number| number.to_string()).collect();
        let (a, b) = (format!("a={}", many.join(",")), format!("b={}", many.join(",")));
        assert!(names(&[&a, &b]).unwrap_err().contains("more than 10000"));
    }
}
