//! Names: which one was meant, and what is said to one that nothing has.

use crate::shortened;
use std::fmt;

/// From this likeness on a name counts as a slip of the pen.
const NEAR: f64 = 0.65;
/// How many letters of a common beginning count, and how much each of them.
const BEGINNING: usize = 4;
const BEGINNING_WEIGHT: f64 = 0.1;

/// So many known names are listed in a message: of the parameters of a deep network there are thousands.
const MOST_SHOWN: usize = 40;

/// How like two names are, from 0 (not at all) to 1 (the same but for capitals).
///
/// The edits that make one of the other (letters put in, left out, changed, or two neighbours swapped) count as a share
/// of the longer one; what is left is made up for by a common beginning, as in Winkler (1990), so that a name which breaks
/// off (`linear` for `linear-pool`) is near too:
///
/// ```text
/// d = 1 − edits / length        likeness = d + 0.1 · min(4, common beginning) · (1 − d)
/// ```
pub fn likeness(a: &str, b: &str) -> f64 {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let same = strsim::normalized_damerau_levenshtein(&a, &b);
    let pairs = a.chars().zip(b.chars());
    let beginning = pairs.take(BEGINNING).take_while(|(a, b)| a == b).count();
    same + BEGINNING_WEIGHT * beginning as f64 * (1.0 - same)
}

/// The one of `names` that is most like `wanted`, if one is near enough to be what was meant. Of equals the first.
///
/// ```
/// assert_eq!(dtrp_text::nearest("momentun", ["adam", "momentum"]), Some("momentum"));
/// assert_eq!(dtrp_text::nearest("zzz", ["adam", "momentum"]), None);
/// ```
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best = None;
    for name in names {
        let likeness = likeness(wanted, name);
        if likeness >= NEAR && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

/// The suggestion in a message: `` (did you mean `momentum`?)`` with a blank before it, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DidYouMean<'a>(pub Option<&'a str>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " (did you mean `{name}`?)"),
            None => Ok(()),
        }
    }
}

/// Nothing has this name. Says which one may have been meant, and all there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// What was looked for, in the singular: `model`, `data set`.
    pub kind: &'static str,
    /// The name asked for.
    pub name: String,
    /// The known name nearest to it, if one is near.
    pub nearest: Option<String>,
    /// All known names, in the order in which they are listed.
    pub known: Vec<String>,
}

impl UnknownName {
    /// The error for `name`, which is none of `known`.
    pub fn new<'a>(kind: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<_> = known.into_iter().map(str::to_owned).collect();
        Self {
            kind,
            name: name.to_owned(),
            nearest: nearest(name, known.iter().map(String::as_str)).map(str::to_owned),
            known,
        }
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, .. } = self;
        let name = shortened(name);
        write!(f, "unknown {kind} `{name}`{}; ", DidYouMean(self.nearest.as_deref()))?;
        if self.known.is_empty() {
            write!(f, "there are no {kind}s")
        } else {
            let shown = self.known.len().min(MOST_SHOWN);
            write!(f, "the {kind}s are {}", self.known[..shown].join(", "))?;
            match self.known.len() - shown {
                0 => Ok(()),
                more => write!(f, " and {more} more"),
            }
        }
    }
}

impl std::error::Error for UnknownName {}

/// The one of `items` whose `key` is `name`.
///
/// # Errors
///
/// [`UnknownName`] when there is none.
pub fn find<T>(
    kind: &'static str,
    name: &str,
    items: impl IntoIterator<Item = T>,
    key: fn(&T) -> &str,
) -> Result<T, UnknownName> {
    let mut others = Vec::new();
    for item in items {
        if key(&item) == name {
            return Ok(item);
        }
        others.push(item);
    }
    Err(UnknownName::new(kind, name, others.iter().map(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREDICTORS: [&str; 8] = [
        "adam",
        "adamw",
        "adaptive",
        "damped",
        "decayed",
        "difference",
        "momentum",
        "none",
    ];
    const SETS: [&str; 7] = [
        "digits",
        "cifar10",
        "cifar100",
        "mnist",
        "fashion-mnist",
        "image-folder",
        "synthetic",
    ];
    const MODELS: [&str; 6] = [
        "resnet",
        "resnet-cifar",
        "tiny",
        "vgg",
        "wide-resnet",
        "wide-resnet-cifar",
    ];
    const HEADS: [&str; 4] = ["linear-pool", "conv", "mlp", "sampled"];
    const METHODS: [&str; 9] = ["bp", "gpipe", "1f1b", "ddg", "pipedream", "fr", "fdg", "dtrp", "local"];
    const ORDERS: [&str; 3] = ["lockstep", "eager", "sequential"];
    const AUGMENTATIONS: [&str; 6] = ["none", "crop-flip", "crop", "flip", "cutout", "random-resized-crop"];

    /// Some names, and slips with what was meant.
    type Row = (&'static [&'static str], &'static [(&'static str, &'static str)]);

    #[test]
    fn slips_are_understood() {
        let table: [Row; 7] = [
            (
                &PREDICTORS,
                &[
                    ("momentun", "momentum"),
                    ("Momentum", "momentum"),
                    ("adamW2", "adamw"),
                    ("adaptiv", "adaptive"),
                    ("dampd", "damped"),
                    ("non", "none"),
                ],
            ),
            (
                &SETS,
                &[
                    ("cifar-10", "cifar10"),
                    ("cifar11", "cifar10"),
                    ("CIFAR100", "cifar100"),
                    ("digit", "digits"),
                    ("mnits", "mnist"),
                    ("fashion", "fashion-mnist"),
                    ("fashion_mnist", "fashion-mnist"),
                    ("imagefolder", "image-folder"),
                ],
            ),
            (
                &MODELS,
                &[
                    ("wide-resnet-cifra", "wide-resnet-cifar"),
                    ("resnet-cifer", "resnet-cifar"),
                    ("resnet18", "resnet"),
                    ("vg", "vgg"),
                    ("vgg16", "vgg"),
                ],
            ),
            (
                &HEADS,
                &[
                    ("linear", "linear-pool"),
                    ("mpl", "mlp"),
                    ("cnv", "conv"),
                    ("sample", "sampled"),
                ],
            ),
            (
                &METHODS,
                &[
                    ("dtpr", "dtrp"),
                    ("gpip", "gpipe"),
                    ("1fb1", "1f1b"),
                    ("pipedraem", "pipedream"),
                    ("fgd", "fdg"),
                ],
            ),
            (
                &ORDERS,
                &[("lockstp", "lockstep"), ("eagr", "eager"), ("Lock-Step", "lockstep")],
            ),
            (
                &AUGMENTATIONS,
                &[("crop-flop", "crop-flip"), ("flipp", "flip"), ("cut-out", "cutout")],
            ),
        ];
        for (names, slips) in table {
            for (slip, meant) in slips {
                assert_eq!(nearest(slip, names.iter().copied()), Some(*meant), "{slip}");
            }
        }
        // Keys of two and three letters have room for one slip.
        assert_eq!(nearest("roh", ["rho", "last_gradient"]), Some("rho"));
        assert_eq!(nearest("nme", ["name", "options"]), Some("name"));
        assert_eq!(nearest("fad", ["fade"]), Some("fade"));
        assert_eq!(nearest("batch", ["batch_size", "limit"]), Some("batch_size"));
    }

    #[test]
    fn other_words_are_not_taken_for_slips() {
        let all = [
            &PREDICTORS[..],
            &SETS,
            &MODELS,
            &HEADS,
            &METHODS,
            &ORDERS,
            &AUGMENTATIONS,
        ]
        .concat();
        for word in ["", "x", "zzz", "xyzzy", "transformer", "language", "backprop", "zero"] {
            assert_eq!(nearest(word, all.iter().copied()), None, "{word}");
        }
    }

    #[test]
    fn no_name_of_the_house_is_shadowed_by_another() {
        for names in [
            &PREDICTORS[..],
            &SETS,
            &MODELS,
            &HEADS,
            &METHODS,
            &ORDERS,
            &AUGMENTATIONS,
        ] {
            for name in names {
                assert_eq!(nearest(name, names.iter().copied()), Some(*name));
            }
        }
    }

    #[test]
    fn found_or_told() {
        assert_eq!(find("model", "tiny", MODELS, |name| name), Ok("tiny"));
        let error = |name| find("data set", name, SETS, |name| name).unwrap_err().to_string();
        let known = "the data sets are digits, cifar10, cifar100, mnist, fashion-mnist, image-folder, synthetic";
        assert_eq!(
            error("cifar-10"),
            format!("unknown data set `cifar-10` (did you mean `cifar10`?); {known}")
        );
        assert_eq!(error("zzz"), format!("unknown data set `zzz`; {known}"));
        let nothing: [&str; 0] = [];
        let error = find("model", "tiny", nothing, |name| name).unwrap_err();
        assert_eq!(error.to_string(), "unknown model `tiny`; there are no models");
    }
}
