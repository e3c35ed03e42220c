//! What an operator takes and returns.

/// What an operator takes and returns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signature {
    /// Whether it draws random numbers from libtorch's generator.
    pub random: bool,
    /// What it takes, in order.
    pub arguments: Vec<Argument>,
    /// What it returns, in order.
    pub results: Vec<Argument>,
}

/// One of the things that an operator takes or returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name, such as `self`.
    pub name: String,
    /// Its type as libtorch writes it, such as `Tensor?`.
    pub kind: String,
    /// Whether the operator changes it in place; of what it returns, whether that is what it has changed.
    pub mutated: bool,
    /// Which memory it may share: a result shares that of the arguments which name one of its sets. Empty: nobody's.
    pub aliases: Vec<String>,
    /// Whether it may be left out.
    pub optional: bool,
}

/// The set that may share memory with anything.
const ANY: &str = "*";

impl Argument {
    /// Whether a result of this description may lie in the memory of that argument.
    pub fn may_share(&self, argument: &Argument) -> bool {
        let any = |sets: &[String]| sets.iter().any(|set| set == ANY);
        let shared = self.aliases.iter().any(|set| argument.aliases.contains(set));
        let both = !self.aliases.is_empty() && !argument.aliases.is_empty();
        shared || (both && (any(&self.aliases) || any(&argument.aliases)))
    }
}

impl Signature {
    /// From the shim's text.
    pub(super) fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let random = lines.next() == Some("1");
        let argument = |line: &str| {
            let fields: Vec<&str> = line.split('\t').collect();
            let field = |index: usize| fields.get(index).copied().unwrap_or_default();
            let mut aliases: Vec<String> = field(4).split_whitespace().map(set).collect();
            if aliases.is_empty() && field(3) == "1" {
                aliases.push(ANY.to_owned());
            }
            Argument {
                name: field(0).to_owned(),
                kind: field(1).to_owned(),
                mutated: field(2) == "1",
                aliases,
                optional: field(5) == "1",
            }
        };
        let arguments = lines
            .by_ref()
            .take_while(|line| !line.is_empty())
            .map(argument)
            .collect();
        let results = lines.map(argument).collect();
        Self {
            random,
            arguments,
            results,
        }
    }
}

/// `alias::a` is the set `a`.
fn set(text: &str) -> String {
    text.rsplit("::").next().unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use crate::torch::Operator;

    fn find(name: &str, overload: &str) -> Operator {
        Operator::find(name, overload).unwrap().unwrap()
    }

    #[test]
    fn what_is_changed_and_shared_is_known() {
        let add = find("aten::add_", "Tensor");
        let [left, right, alpha] = &add.signature().arguments[..] else {
            panic!("{:?}", add.signature())
        };
        assert!(left.mutated && !right.mutated && alpha.optional);
        assert!(add.signature().results[0].may_share(left) && !add.signature().results[0].may_share(right));
        for (name, overload, shares) in [
            ("aten::view", "", true),
            ("aten::reshape", "", true),
            ("aten::chunk", "", true),
            ("aten::split", "Tensor", true),
            ("aten::unbind", "int", true),
            ("aten::linear", "", false),
            ("aten::cat", "", false),
        ] {
            let operator = find(name, overload);
            let (first, result) = (&operator.signature().arguments[0], &operator.signature().results[0]);
            assert_eq!(result.may_share(first), shares, "{name}: {:?}", operator.signature());
        }
        assert!(find("aten::bernoulli_", "float").signature().random);
        assert!(!add.signature().random);
    }

    #[test]
    fn what_libtorch_lacks() {
        assert!(Operator::find("aten::conv2e", "").unwrap().is_none());
        assert!(Operator::find("aten::add", "Nothing").unwrap().is_none());
        assert!(Operator::find("a\0b", "").unwrap().is_none());
        assert!(Operator::find("", "").unwrap().is_none());
    }
}
