//! The options that something was given, checked against those it declares.

use super::error::{OptionError, OptionProblem};
use super::spec::{OptionKind, OptionSpec, OptionValues, shape};
use crate::names::nearest;
use serde_json::Value;
use std::cell::Cell;
use std::path::PathBuf;

/// The options that something was given. All have been checked against what is declared, so reading them cannot fail.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    kind: &'static str,
    owner: &'a str,
    declared: &'a [OptionSpec],
    given: OptionValues,
    /// One bit for each declared option that has been read.
    read: Cell<u128>,
}

impl<'a> Options<'a> {
    /// Takes a JSON object, or null, which is an empty one, for the `kind` (`model`, `data set`) of the name `owner`, which
    /// declares `declared`. An option that is null counts as not given.
    ///
    /// # Errors
    ///
    /// [`OptionError`] for a key that is not declared, for a value that its declaration rules out, and if `given` is no
    /// object.
    pub fn new(
        kind: &'static str,
        owner: &'a str,
        declared: &'a [OptionSpec],
        given: &Value,
    ) -> Result<Self, OptionError> {
        match given {
            Value::Null => Self::of(kind, owner, declared, &OptionValues::new()),
            Value::Object(given) => Self::of(kind, owner, declared, given),
            other => Err(OptionError {
                kind,
                owner: owner.to_owned(),
                option: "options".to_owned(),
                problem: Box::new(OptionProblem::Value {
                    value: other.to_string(),
                    nearest: None,
                    expected: "an object, such as { name: value }".to_owned(),
                }),
            }),
        }
    }

    /// As [`new`](Self::new), from the entries of an object.
    ///
    /// # Errors
    ///
    /// [`OptionError`] for a key that is not declared, and for a value that its declaration rules out.
    pub fn of(
        kind: &'static str,
        owner: &'a str,
        declared: &'a [OptionSpec],
        given: &OptionValues,
    ) -> Result<Self, OptionError> {
        let given = given.iter().filter(|(_, value)| !value.is_null());
        let given = given.map(|(name, value)| (name.clone(), value.clone())).collect();
        let options = Self {
            kind,
            owner,
            declared,
            given,
            read: Cell::new(0),
        };
        for (name, value) in &options.given {
            match declared.iter().find(|option| option.name == name) {
                None => return Err(options.unknown(name)),
                Some(option) if option.kind.takes(value) => {}
                Some(option) => return Err(options.refused(option, value)),
            }
        }
        Ok(options)
    }

    /// The name of what the options are of.
    pub fn owner(&self) -> &'a str {
        self.owner
    }

    /// The error that says what `option` may be, for a rule that its declaration cannot express.
    pub fn invalid(&self, option: &str, expected: impl Into<String>) -> OptionError {
        let value = self.value(option);
        self.error(
            option,
            OptionProblem::Value {
                value: if value.is_null() {
                    "missing".to_owned()
                } else {
                    value.to_string()
                },
                nearest: None,
                expected: expected.into(),
            },
        )
    }

    /// What is in force: what is given, and the defaults of what is not; options that have neither are not in it.
    pub fn resolved(&self) -> OptionValues {
        let all = self
            .declared
            .iter()
            .map(|option| (option.name.to_owned(), self.value(option.name)));
        all.filter(|(_, value)| !value.is_null()).collect()
    }

    /// The value of a declared number or share.
    ///
    /// # Panics
    ///
    /// If no number of this name is declared, which is a bug of the owner.
    pub fn number(&self, name: &str) -> f64 {
        self.note(name);
        match self.value(name).as_f64() {
            Some(number) => number,
            None => self.wrong(name, "a number"),
        }
    }

    /// The value of a declared whole number that has a default.
    ///
    /// # Panics
    ///
    /// If no such number of this name is declared, which is a bug of the owner.
    pub fn count(&self, name: &str) -> u64 {
        match self.optional_count(name) {
            Some(count) => count,
            None => self.wrong(name, "a whole number with a default"),
        }
    }

    /// The value of a declared whole number; nothing where it is not given and has no default.
    ///
    /// # Panics
    ///
    /// If no whole number of this name is declared, which is a bug of the owner.
    pub fn optional_count(&self, name: &str) -> Option<u64> {
        self.note(name);
        match self.declared(name).kind {
            OptionKind::Count { .. } => self.value(name).as_u64(),
            _ => self.wrong(name, "a whole number"),
        }
    }

    /// The value of a declared flag.
    ///
    /// # Panics
    ///
    /// If no flag of this name is declared, which is a bug of the owner.
    pub fn flag(&self, name: &str) -> bool {
        self.note(name);
        match self.value(name).as_bool() {
            Some(flag) => flag,
            None => self.wrong(name, "a flag"),
        }
    }

    /// The word chosen, as it stands in the declaration.
    ///
    /// # Panics
    ///
    /// If no choice of this name is declared, which is a bug of the owner.
    pub fn choice(&self, name: &str) -> &'static str {
        self.note(name);
        match self.declared(name).kind {
            OptionKind::Choice { default, words } => {
                let given = self.given.get(name).and_then(Value::as_str);
                words.iter().find(|word| Some(**word) == given).unwrap_or(&default)
            }
            _ => self.wrong(name, "a choice"),
        }
    }

    /// The value of a declared path; nothing where it is not given.
    ///
    /// # Panics
    ///
    /// If no path of this name is declared, which is a bug of the owner.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.note(name);
        match self.declared(name).kind {
            OptionKind::Path => self.value(name).as_str().map(PathBuf::from),
            _ => self.wrong(name, "a path"),
        }
    }

    /// Channels, height and width of a declared shape that has a default.
    ///
    /// # Panics
    ///
    /// If no such shape of this name is declared, which is a bug of the owner.
    pub fn shape(&self, name: &str) -> [usize; 3] {
        match self.optional_shape(name) {
            Some(shape) => shape,
            None => self.wrong(name, "a shape with a default"),
        }
    }

    /// Channels, height and width of a declared shape; nothing where it is not given and has no default.
    ///
    /// # Panics
    ///
    /// If no shape of this name is declared, which is a bug of the owner.
    pub fn optional_shape(&self, name: &str) -> Option<[usize; 3]> {
        self.note(name);
        match self.declared(name).kind {
            OptionKind::Shape { .. } => shape(&self.value(name)),
            _ => self.wrong(name, "a shape"),
        }
    }

    /// What is given, else the default, else null.
    fn value(&self, name: &str) -> Value {
        let declared = self.declared(name);
        self.given.get(name).cloned().unwrap_or_else(|| declared.kind.default())
    }

    fn declared(&self, name: &str) -> &'a OptionSpec {
        match self.declared.iter().find(|option| option.name == name) {
            Some(option) => option,
            None => self.wrong(name, "anything"),
        }
    }

    /// The declared options that nobody has read yet. Once a thing is built, those have no effect on it, as it is.
    pub fn unread(&self) -> Vec<&'static str> {
        let options = self.declared.iter().enumerate();
        let unread = options.filter(|(index, _)| self.read.get() & bit(*index) == 0);
        unread.map(|(_, option)| option.name).collect()
    }

    /// Takes note that this option makes a difference.
    fn note(&self, name: &str) {
        if let Some(index) = self.declared.iter().position(|option| option.name == name) {
            self.read.set(self.read.get() | bit(index));
        }
    }

    #[track_caller]
    fn wrong(&self, name: &str, what: &str) -> ! {
        let Self { kind, owner, .. } = self;
        panic!("{kind} `{owner}` reads option `{name}`, which it does not declare as {what}");
    }

    fn unknown(&self, option: &str) -> OptionError {
        let names = self.declared.iter().map(|option| option.name);
        self.error(
            option,
            OptionProblem::Unknown {
                nearest: nearest(option, names.clone()).map(str::to_owned),
                known: names.map(str::to_owned).collect(),
            },
        )
    }

    fn refused(&self, option: &OptionSpec, value: &Value) -> OptionError {
        let words = match option.kind {
            OptionKind::Choice { words, .. } => words,
            _ => &[],
        };
        let nearest = value.as_str().and_then(|word| nearest(word, words.iter().copied()));
        self.error(
            option.name,
            OptionProblem::Value {
                value: value.to_string(),
                nearest: nearest.map(str::to_owned),
                expected: option.kind.expected(),
            },
        )
    }

    fn error(&self, option: &str, problem: OptionProblem) -> OptionError {
        OptionError {
            kind: self.kind,
            owner: self.owner.to_owned(),
            option: option.to_owned(),
            problem: Box::new(problem),
        }
    }
}

/// Of more options than there are bits the last ones count as read, all or none.
fn bit(index: usize) -> u128 {
    1 << index.min(127)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OPTIONS: [OptionSpec; 8] = [
        OptionSpec::number("rho", 1.0, 0.0..=1.0, "how far"),
        OptionSpec::share("dropout", 0.5, "how many"),
        OptionSpec::count("depth", 20, 8..=1 << 20, "how deep"),
        OptionSpec::optional_count("seed", 0..=u64::MAX, "which of many"),
        OptionSpec::flag("last_gradient", true, "whether"),
        OptionSpec::choice("stem", "imagenet", &["imagenet", "cifar", "none"], "which"),
        OptionSpec::shape("shape", None, "what"),
        OptionSpec::path("file", "from where"),
    ];

    fn read(given: Value) -> Result<Options<'static>, OptionError> {
        Options::new("model", "mine", &OPTIONS, &given)
    }

    #[test]
    fn what_is_not_given_or_null_has_its_default() {
        for given in [
            json!(null),
            json!({}),
            json!({ "depth": null, "shape": null, "other": null }),
        ] {
            let options = read(given).unwrap();
            assert_eq!((options.number("rho"), options.number("dropout")), (1.0, 0.5));
            assert_eq!((options.count("depth"), options.optional_count("seed")), (20, None));
            assert_eq!(
                (options.flag("last_gradient"), options.choice("stem")),
                (true, "imagenet")
            );
            assert_eq!(options.optional_shape("shape"), None);
            assert_eq!(options.path("file"), None);
            assert_eq!(options.resolved(), super::super::defaults(&OPTIONS));
        }
    }

    #[test]
    fn what_is_given_holds() {
        let given = json!({
            "rho": 0, "dropout": 0.25, "depth": 8, "seed": u64::MAX, "last_gradient": false, "stem": "cifar",
            "shape": [1, 2, 3], "file": "a/net.pt2",
        });
        let options = read(given.clone()).unwrap();
        assert_eq!((options.number("rho"), options.number("dropout")), (0.0, 0.25));
        assert_eq!(
            (options.count("depth"), options.optional_count("seed")),
            (8, Some(u64::MAX))
        );
        assert_eq!(
            (options.flag("last_gradient"), options.choice("stem")),
            (false, "cifar")
        );
        assert_eq!(options.optional_shape("shape"), Some([1, 2, 3]));
        assert_eq!(options.path("file"), Some("a/net.pt2".into()));
        assert_eq!(Value::Object(options.resolved()), given);
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let known = "its options are rho, dropout, depth, seed, last_gradient, stem, shape, file";
        let must = |option: &str, is: &str, expected: &str| {
            format!("model `mine`: option `{option}` is {is}, but must be {expected}")
        };
        for (given, says) in [
            (
                json!({ "last_gradiant": true }),
                format!("model `mine` has no option `last_gradiant` (did you mean `last_gradient`?); {known}"),
            ),
            (
                json!({ "zzz": 1 }),
                format!("model `mine` has no option `zzz`; remove it: {known}"),
            ),
            (json!({ "rho": 1.5 }), must("rho", "1.5", "a number from 0 to 1")),
            (json!({ "rho": "1" }), must("rho", "\"1\"", "a number from 0 to 1")),
            (
                json!({ "dropout": 1.0 }),
                must("dropout", "1.0", "a number from 0 to below 1"),
            ),
            (
                json!({ "depth": 7 }),
                must("depth", "7", "a whole number from 8 to 1048576"),
            ),
            (
                json!({ "depth": 8.5 }),
                must("depth", "8.5", "a whole number from 8 to 1048576"),
            ),
            (json!({ "seed": -1 }), must("seed", "-1", "a whole number from 0")),
            (
                json!({ "last_gradient": 1 }),
                must("last_gradient", "1", "true or false"),
            ),
            (json!({ "stem": 3 }), must("stem", "3", "imagenet, cifar or none")),
            (
                json!({ "stem": "imagnet" }),
                must(
                    "stem",
                    "\"imagnet\" (did you mean `imagenet`?)",
                    "imagenet, cifar or none",
                ),
            ),
            (
                json!({ "shape": [3, 4] }),
                must("shape", "[3,4]", "[channels, height, width], such as [3, 32, 32]"),
            ),
            (json!({ "file": 3 }), must("file", "3", "the path of a file")),
            (json!({ "file": "" }), must("file", "\"\"", "the path of a file")),
            (json!([1]), must("options", "[1]", "an object, such as { name: value }")),
        ] {
            assert_eq!(read(given).unwrap_err().to_string(), says);
        }
        let error = Options::new("data set", "digits", &[], &json!({ "classes": 3 })).unwrap_err();
        let says = "data set `digits` has no option `classes`; it has none at all: remove it";
        assert_eq!(error.to_string(), says);
    }

    #[test]
    fn what_nobody_has_read_is_known() {
        let options = read(json!({ "depth": 9 })).unwrap();
        assert!(options.unread().contains(&"depth") && options.unread().contains(&"rho"));
        let (_, _) = (options.count("depth"), options.resolved());
        assert!(!options.unread().contains(&"depth") && options.unread().contains(&"rho"));
    }

    #[test]
    fn rules_of_the_owner_name_the_value() {
        let options = read(json!({ "depth": 9 })).unwrap();
        let says = "model `mine`: option `depth` is 9, but must be 6n+2";
        assert_eq!(options.invalid("depth", "6n+2").to_string(), says);
        let says = "model `mine`: option `shape` is missing, but must be given";
        assert_eq!(options.invalid("shape", "given").to_string(), says);
    }

    #[test]
    #[should_panic(expected = "model `mine` reads option `rhoo`, which it does not declare as anything")]
    fn reading_what_is_not_declared_is_a_bug() {
        read(json!({})).unwrap().number("rhoo");
    }

    #[test]
    #[should_panic(expected = "model `mine` reads option `rho`, which it does not declare as a flag")]
    fn reading_another_kind_is_a_bug() {
        read(json!({})).unwrap().flag("rho");
    }
}
