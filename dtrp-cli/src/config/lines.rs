//! On which line of a YAML text a key stands. The reader of YAML does not say, so this looks at the text itself: at the keys that
//! begin lines, each in the section that is indented less. Of keys inside braces, and whatever else YAML has, the line on which the
//! section begins is known.

use std::collections::BTreeMap;

/// The line, from 1, of every path such as `optimizer.lr` whose key begins one.
pub(super) fn of_keys(text: &str) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    // The sections that the line is in: how far each is indented, and its path.
    let mut sections: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim_start_matches(' ');
        let Some(key) = key_of(content) else {
            continue;
        };
        let indent = line.len() - content.len();
        while sections.last().is_some_and(|(outer, _)| *outer >= indent) {
            sections.pop();
        }
        let path = match sections.last() {
            Some((_, outer)) => format!("{outer}.{key}"),
            None => key.to_owned(),
        };
        lines.entry(path.clone()).or_insert(number);
        sections.push((indent, path));
    }
    lines
}

/// The key with which a line begins, without quotes.
fn key_of(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once(':')?;
    let key = key.trim_end();
    let bare = key
        .strip_prefix(['"', '\''])
        .and_then(|key| key.strip_suffix(['"', '\'']));
    let key = bare.unwrap_or(key);
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    (plain && !key.starts_with('-') && (rest.is_empty() || rest.starts_with([' ', '\r']))).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_their_sections() {
        let text = "# run: no key\nrun:\n  seed: 3 # lr: 4\n\noptimizer: {lr: 1}\nmethod:\n  predictor:\n    name: x\n  'cuts': [1]\nx:y\n";
        let expected = [
            ("method", 6),
            ("method.cuts", 9),
            ("method.predictor", 7),
            ("method.predictor.name", 8),
            ("optimizer", 5),
            ("run", 2),
            ("run.seed", 3),
        ];
        let expected = expected.map(|(path, line)| (path.to_owned(), line));
        assert_eq!(of_keys(text), expected.into());
    }
}
