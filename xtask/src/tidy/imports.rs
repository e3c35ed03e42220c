//! One block of imports: no blank line between two `use`.

use super::sources::Source;

/// Where a `use` stands apart from the one before it.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let breaches = sources.iter().flat_map(|source| {
        let lines = apart(&source.text).into_iter();
        lines.map(|line| {
            format!(
                "{}:{line} a blank line parts this `use` from the one before",
                source.path
            )
        })
    });
    breaches.collect()
}

/// Numbers of lines, from 1, with a `use` that only blank lines and attributes part from another.
fn apart(text: &str) -> Vec<usize> {
    #[derive(PartialEq)]
    enum Seen {
        Other,
        /// In a `use` of several lines.
        Inside,
        Import,
        Blank,
    }
    let mut seen = Seen::Other;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let ended = if line.ends_with(';') {
            Seen::Import
        } else {
            Seen::Inside
        };
        let is_import = line.starts_with("use ");
        if is_import && seen == Seen::Blank {
            found.push(number + 1);
        }
        seen = match seen {
            Seen::Inside => ended,
            _ if is_import => ended,
            Seen::Import | Seen::Blank if line.is_empty() => Seen::Blank,
            Seen::Import | Seen::Blank if line.starts_with("#[") || line.starts_with("//") => seen,
            _ => Seen::Other,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        assert_eq!(
            apart("mod a;\n\npub use a::B;\n\nuse c::{\n    D,\n};\nuse e;\n\nfn f() {}\n"),
            [0; 0]
        );
        assert_eq!(apart("use a;\n\nuse b;\n"), [3]);
        assert_eq!(apart("use a::{\n    b,\n};\n\n#[cfg(unix)]\nuse c;\n"), [6]);
        assert_eq!(apart("fn f() {\n    use a;\n}\n\nuse b;\n"), [0; 0]);
        let breaches = check(&[Source::new("a/src/b.rs", "use a;\n\nuse b;\n")]);
        assert_eq!(
            breaches,
            ["a/src/b.rs:3 a blank line parts this `use` from the one before"]
        );
    }
}
