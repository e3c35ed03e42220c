//! With which seeds every variant is trained.

use std::collections::BTreeSet;
use std::str::FromStr;

/// What was typed for `--seeds`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seeds {
    /// So many, counted from the configuration's `run.seed`.
    Count(u64),
    List(Vec<u64>),
}

/// The most seeds of a variant.
const MOST: u64 = 10_000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let number = text.trim().parse::<u64>();
            number.map_err(|_| format!("`{text}` is not a whole number from 0"))
        };
        if !text.contains(',') {
            return match number(text)? {
                count @ 1..=MOST => Ok(Seeds::Count(count)),
                _ => Err(format!(
                    "give a number of seeds from 1 to {MOST}, or a list such as 7,8,9"
                )),
            };
        }
        let items = text.trim().trim_end_matches(',').split(',');
        let list = items.map(number).collect::<Result<Vec<_>, _>>()?;
        let mut seen = BTreeSet::new();
        match list.iter().find(|seed| !seen.insert(**seed)) {
            Some(twice) => Err(format!("the seed {twice} stands there twice")),
            None => Ok(Seeds::List(list)),
        }
    }
}

impl Seeds {
    /// The seeds of a variant whose configuration has `seed`; `None` if they would be too large.
    pub(super) fn of(&self, seed: u64) -> Option<Vec<u64>> {
        match self {
            Seeds::Count(count) => Some((seed..=seed.checked_add(count - 1)?).collect()),
            Seeds::List(list) => Some(list.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_or_a_list() {
        let seeds = |text: &str| text.parse::<Seeds>();
        assert_eq!(seeds("3").unwrap().of(5), Some(vec![5, 6, 7]));
        assert_eq!(seeds("7,8, 9").unwrap().of(5), Some(vec![7, 8, 9]));
        assert_eq!(seeds("7,").unwrap().of(5), Some(vec![7]));
        assert_eq!(seeds("2").unwrap().of(u64::MAX), None);
        for wrong in ["0", "", "x", "1,x", "1,1", "-1", ",", "99999999999"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
