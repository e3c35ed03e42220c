//! The terminal behind stderr: what is written there keeps out of the bar's way, and fits into the lines.

use super::block::Block;
use super::log::is_json;
use console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};
use std::io::{self, IsTerminal, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// Bars of downloads. Everything that goes to stderr goes through here, so that lines and bars keep out of each other's way.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(|| {
    MultiProgress::with_draw_target(if can_redraw() {
        let term = Terminal(Term::buffered_stderr());
        ProgressDrawTarget::term_like_with_hz(Box::new(term), 20)
    } else {
        ProgressDrawTarget::hidden()
    })
});

/// The lines of a run, behind everything else.
static BLOCK: Mutex<Block> = Mutex::new(Block::new());

/// Where bars are drawn.
pub(super) fn screen() -> &'static MultiProgress {
    &SCREEN
}

/// Writes to stderr, above the bars and the lines of a run if there are some. When stderr is gone there is nobody left to tell:
/// that is no error, and nothing to end a program for.
pub(crate) fn write(bytes: &[u8]) {
    SCREEN.suspend(|| {
        let mut block = block();
        let width = width().unwrap_or(80);
        let (start, lines) = block.take(width);
        send(&[start.as_bytes(), bytes, block.replace(lines, width).as_bytes()].concat());
    });
}

/// Has the lines of a run stand behind everything else. Without lines they are taken away.
pub(super) fn show(lines: Vec<String>) {
    let mut block = block();
    let width = width().unwrap_or(80);
    let text = if lines.is_empty() {
        block.take(width).0
    } else {
        block.replace(lines, width)
    };
    send(text.as_bytes());
}

fn block() -> MutexGuard<'static, Block> {
    BLOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn send(bytes: &[u8]) {
    if !bytes.is_empty() {
        let _ = io::stderr().write_all(bytes);
    }
}

/// Whether stderr is a terminal whose lines can be written anew.
pub(crate) fn can_redraw() -> bool {
    !is_json() && io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether stderr is a terminal with colours that somebody wants to see.
pub(super) fn has_colours() -> bool {
    can_redraw() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The columns of the terminal behind stderr; `None` if it is none.
pub(super) fn width() -> Option<usize> {
    let size = Term::stderr().size_checked();
    size.map(|(_, columns)| usize::from(columns))
        .filter(|columns| *columns > 0)
}

/// The rows of the terminal behind stderr.
pub(super) fn height() -> usize {
    let size = Term::stderr().size_checked();
    size.map_or(24, |(rows, _)| usize::from(rows).max(1))
}

/// Breaks a line of fields, which two blanks or more part, where it would not fit.
pub(super) fn fold(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    let fields = text.split("  ").map(str::trim).filter(|field| !field.is_empty());
    for field in fields {
        let long = |line: &String| line.chars().count() + 2 + field.chars().count() > width;
        match lines.last_mut() {
            Some(line) if line.trim().is_empty() => line.push_str(field),
            Some(line) if !long(line) => {
                line.push_str("  ");
                line.push_str(field);
            }
            _ => lines.push(format!("  {field}")),
        }
    }
    lines.join("\n")
}

/// A terminal that may go away: then nothing is drawn any more.
#[derive(Debug)]
struct Terminal(Term);

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        TermLike::width(&self.0)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let _ = self.0.move_cursor_up(n);
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        let _ = self.0.move_cursor_down(n);
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        let _ = self.0.move_cursor_right(n);
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        let _ = self.0.move_cursor_left(n);
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        let _ = self.0.write_line(text);
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let _ = self.0.write_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let _ = self.0.clear_line();
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_fields() {
        let line = "epoch   1  step     10  train loss 2.1  images/s";
        assert_eq!(fold(line, 80), "epoch  1  step  10  train loss 2.1  images/s");
        assert_eq!(fold(line, 20), "epoch  1  step  10\n  train loss 2.1\n  images/s");
        let widest = fold(line, 24).lines().map(str::len).max();
        assert!(widest <= Some(24));
    }
}
