//! The table form: slots down, workers across; what a person reads and what tests snapshot.

use super::program::Program;
use super::slots::Slots;
use std::fmt::Write;

impl Program {
    /// The program as a table: one row a slot, one column a worker, computations only, horizons as `+2`.
    ///
    /// ```text
    /// slot | worker 1       | worker 2
    /// -----+----------------+---------
    ///    1 | F1+0           |
    ///    2 | F2+1           | G1 B1 U1
    ///    3 | R1 B1 U1 F3+1  | G2 B2 U2
    /// ```
    pub fn table(&self) -> String {
        let slots = Slots::of(self);
        let rows = self.cells(&slots);
        let head: Vec<String> = (1..=self.modules()).map(|k| format!("worker {k}")).collect();
        let width = |k: usize| {
            let cells = rows.iter().map(|row| row[k].chars().count());
            cells.chain([head[k].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut out = String::new();
        let mut row = |first: &str, cells: &[String]| {
            let cells: Vec<_> = cells.iter().zip(&widths).map(|(c, w)| format!("{c:w$}")).collect();
            let line = format!("{first:>4} | {}", cells.join(" | "));
            out.push_str(line.trim_end());
            out.push('\n');
        };
        row("slot", &head);
        for (slot, cells) in (1..).zip(&rows) {
            row(&usize::to_string(&slot), cells);
        }
        let rules: Vec<String> = widths.iter().map(|w| "-".repeat(*w)).collect();
        let rule = format!("-----+-{}\n", rules.join("-+-"));
        let after_head = out.find('\n').map_or(out.len(), |end| end + 1);
        out.insert_str(after_head, &rule);
        out
    }

    fn cells(&self, slots: &Slots) -> Vec<Vec<String>> {
        let mut rows = vec![vec![String::new(); self.modules()]; slots.count() as usize];
        for (k, actions) in self.workers.iter().enumerate() {
            for (index, action) in actions.iter().enumerate() {
                if action.op.is_message() {
                    continue;
                }
                let cell = &mut rows[slots.slot(k + 1, index) as usize - 1][k];
                let gap = if cell.is_empty() { "" } else { " " };
                let horizon = action.horizon.map_or(String::new(), |h| format!("+{h}"));
                let _ = write!(cell, "{gap}{}{horizon}", action.short());
            }
        }
        rows
    }
}
