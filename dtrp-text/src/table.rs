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
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
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
    fn pages_have_a_rule_below_the_head() {
        let mut table = Table::new(2);
        table.row(["a", "b", "c"]).row(["1", "2", "3"]);
        assert_eq!(table.markdown(), "| a | b | c |\n|---|--:|--:|\n| 1 | 2 | 3 |\n");
    }
}
