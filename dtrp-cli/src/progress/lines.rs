//! How far several runs are, on a terminal: a line for each that goes on.

use super::{QUIET, screen};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the lines are drawn at most.
const DRAWN_EVERY: Duration = Duration::from_millis(250);

/// The lines; nothing where stderr is no terminal, or nobody wants to see it.
pub(crate) struct Lines {
    shown: bool,
    drawn: Option<Instant>,
}

impl Lines {
    /// Nothing is drawn yet.
    pub(crate) fn new() -> Self {
        Self {
            shown: screen::can_redraw() && !QUIET.load(Ordering::Relaxed),
            drawn: None,
        }
    }

    /// Draws the lines, if that was not done just now.
    pub(crate) fn show(&mut self, lines: impl FnOnce() -> Vec<String>) {
        if self.shown && self.drawn.is_none_or(|drawn| drawn.elapsed() >= DRAWN_EVERY) {
            self.drawn = Some(Instant::now());
            screen::show(fitted(lines(), screen::width().unwrap_or(80), screen::height()));
        }
    }

    /// Takes them away.
    pub(crate) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            screen::show(Vec::new());
        }
    }
}

/// In fewer than `width` columns and `height` rows.
fn fitted(mut lines: Vec<String>, width: usize, height: usize) -> Vec<String> {
    let rows = height.saturating_sub(1).max(1);
    if lines.len() > rows {
        let left_out = lines.len() + 1 - rows;
        lines.truncate(rows - 1);
        lines.push(format!("and {left_out} more runs"));
    }
    let fitting = |line: String| line.chars().take(width.saturating_sub(1)).collect();
    lines.into_iter().map(fitting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_every_terminal() {
        let lines: Vec<String> = (0..30).map(|run| format!("run {run}  epoch 3")).collect();
        for (width, height) in [(80, 24), (5, 3), (1, 1), (80, 40)] {
            let fitted = fitted(lines.clone(), width, height);
            assert!(fitted.len() < height.max(2) && fitted.iter().all(|line| line.chars().count() < width.max(2)));
        }
        assert_eq!(fitted(lines, 80, 24).last().unwrap(), "and 8 more runs");
    }
}
