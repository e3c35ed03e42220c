//! Tables, as text for a terminal or for a page.

use std::fmt;

/// Rows of cells, the first one usually the head. `Display` aligns them: the first columns to the left, the others to the
/// right, two blanks between, and a newline after each row.
///
/// ```
/// let mut table = dtrp_text::Table::new(1);
/// table.row(["model", "parameters"]);
/// table.row(["tiny".to_owned(), dtrp_text::units::thousands(1_418)]);
/// assert_eq!(table.to_string(), "model  parameters\ntiny        1,418\n");
/// assert_eq!(table.markdown(), "| model | parameters |\n|---|--:|\n| tiny | 1,418 |\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Vec<String>>,
    left: usize,
}

/// Blanks between columns.
const GAP: usize = 2;

/// No column is broken to fewer characters.
const NARROWEST: usize = 10;

/// The text in lines of at most `width` characters, broken between words; a longer word has a line of its own.
pub fn break_words(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    // The blanks before a word stay, unless it begins a line.
    let mut blanks = 0;
    for word in text.split(' ') {
        if word.is_empty() {
            blanks += 1;
            continue;
        }
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + blanks + word.chars().count() <= width => {
                line.extend(std::iter::repeat_n(' ', blanks));
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
        blanks = 1;
    }
    lines
}

impl Table {
    /// A table without rows whose first `left` columns are aligned to the left.
    pub fn new(left: usize) -> Self {
        Self { rows: Vec::new(), left }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As aligned text in lines of at most `width` characters. Where the columns do not fit beside each other, they stand in
    /// several tables, one below the other, with the first column before each; a column that is too wide by itself has its
    /// cells broken between words.
    pub fn within(&self, width: usize) -> String {
        let widths = self.widths();
        let all: usize = widths.iter().map(|width| width + GAP).sum();
        if all <= width + GAP {
            return self.to_string();
        }
        let first = widths.first().copied().unwrap_or(0);
        let mut parts: Vec<(Vec<usize>, usize)> = Vec::new();
        for (column, own) in widths.iter().enumerate().skip(1) {
            match parts.last_mut() {
                Some((columns, used)) if *used + GAP + own <= width => {
                    columns.push(column);
                    *used += GAP + own;
                }
                _ => parts.push((vec![0, column], first + GAP + own)),
            }
        }
        let parts: Vec<_> = parts
            .iter()
            .map(|(columns, used)| {
                let part = self.of_columns(columns);
                if *used > width {
                    part.broken(width.saturating_sub(first + GAP).max(NARROWEST))
                        .to_string()
                } else {
                    part.to_string()
                }
            })
            .collect();
        parts.join("\n")
    }

    fn of_columns(&self, columns: &[usize]) -> Self {
        let cells = |row: &Vec<String>| columns.iter().filter_map(|column| row.get(*column).cloned()).collect();
        Self {
            rows: self.rows.iter().map(cells).collect(),
            left: columns.iter().filter(|column| **column < self.left).count(),
        }
    }

    /// With the last column's cells in lines of at most `width` characters.
    fn broken(&self, width: usize) -> Self {
        let mut rows = Vec::new();
        for row in &self.rows {
            let Some((last, before)) = row.split_last() else {
                continue;
            };
            let lines = break_words(last, width);
            for (number, line) in lines.into_iter().enumerate() {
                let before = before
                    .iter()
                    .map(|cell| if number == 0 { cell.clone() } else { String::new() });
                rows.push(before.chain([line]).collect());
            }
        }
        Self { rows, left: self.left }
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..columns).map(width).collect()
    }

    /// As Markdown: the first row is the head, the first column is aligned to the left, the others to the right.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            text += &format!("| {} |\n", row.join(" | "));
            if index == 0 {
                text += &format!(
                    "|---|{}
",
                    "--:|".repeat(row.len().saturating_sub(1))
                );
            }
        }
        text
    }

    /// As a `tabular` of LaTeX, with the rules of the package `booktabs`: the first row is the head, columns are aligned as in
    /// text.
    pub fn latex(&self) -> String {
        let columns = self.widths().len();
        let left = self.left.min(columns);
        let mut text = format!(
            "\\begin{{tabular}}{{{}{}}}\n\\toprule\n",
            "l".repeat(left),
            "r".repeat(columns - left)
        );
        for (index, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|cell| latex_text(cell)).collect();
            text += &format!("{} \\\\\n", cells.join(" & "));
            if index == 0 {
                text += "\\midrule\n";
            }
        }
        text + "\\bottomrule\n\\end{tabular}\n"
    }
}

/// With everything that has a meaning in LaTeX as itself.
fn latex_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '\\' => out.push_str("\\textbackslash{}"),
            '<' => out.push_str("$<$"),
            '>' => out.push_str("$>$"),
            '±' => out.push_str("$\\pm$"),
            // Two of them would become one dash.
            '-' if out.ends_with('-') => out.push_str("{}-"),
            c => out.push(c),
        }
    }
    out
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                line += if column == 0 { "" } else { "  " };
                line += &if column < self.left {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align() {
        let mut table = Table::new(1);
        table.row(["a", "b"]).row(["long", "12"]);
        assert_eq!(table.to_string(), "a      b\nlong  12\n");
        assert_eq!(Table::default().to_string(), "");
    }

    #[test]
    fn rows_may_be_short_and_wider_than_ascii() {
        let mut table = Table::new(2);
        table.row(["a", "bb", "c"]).row(["ä"]).row(["a", "b", "10"]);
        assert_eq!(table.to_string(), "a  bb   c\nä\na  b   10\n");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(break_words("a  bb c   dddd", 9), ["a  bb c", "dddd"]);
        assert_eq!(break_words("  a bb", 3), ["a", "bb"]);
        assert_eq!(break_words("", 3), [""]);
    }

    #[test]
    fn narrow_tables_have_parts() {
        let mut table = Table::new(1);
        table.row(["name", "one", "two", "three"]);
        table.row(["long name", "1", "22", "333"]);
        assert_eq!(table.within(26), table.to_string());
        let parts = "name       one  two\nlong name    1   22\n\nname       three\nlong name    333\n";
        assert_eq!(table.within(25), parts);
        let mut text = Table::new(2);
        text.row(["a", "some words that are too many"]).row(["b", "few"]);
        assert_eq!(text.within(16), "a  some words\n   that are too\n   many\nb  few\n");
        for width in 13..60 {
            let widest = table.within(width).lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width.max(16)), "{width}");
        }
    }

    #[test]
    fn pages_have_a_rule_below_the_head() {
        let mut table = Table::new(2);
        table.row(["a", "b", "c"]).row(["1", "2", "3"]);
        assert_eq!(table.markdown(), "| a | b | c |\n|---|--:|--:|\n| 1 | 2 | 3 |\n");
    }

    #[test]
    fn papers_have_a_tabular() {
        let mut table = Table::new(1);
        table.row(["a_b", "share"]).row([r"x\{~}^ --", "1.5 ± 0.2 %"]);
        let expected = r"\begin{tabular}{lr}
\toprule
a\_b & share \\
\midrule
x\textbackslash{}\{\textasciitilde{}\}\textasciicircum{} -{}- & 1.5 $\pm$ 0.2 \% \\
\bottomrule
\end{tabular}
";
        assert_eq!(table.latex(), expected);
        assert!(Table::default().latex().starts_with(r"\begin{tabular}{}"));
    }
}
