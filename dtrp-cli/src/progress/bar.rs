//! The bar of a run: one line, as wide as the terminal.

use super::screen::{screen, width};
use dtrp_train::StepReport;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A bar on the terminal behind stderr.
pub(super) struct Bar {
    bar: ProgressBar,
    message: Arc<Mutex<String>>,
}

impl Bar {
    /// Of `total` steps.
    pub(super) fn new(total: u64) -> Self {
        let message = Arc::new(Mutex::new(String::new()));
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template("{line}") {
            let message = message.clone();
            bar.set_style(
                style.with_key("line", move |state: &ProgressState, out: &mut dyn Write| {
                    let message = message.lock().unwrap_or_else(PoisonError::into_inner);
                    let shown = Shown {
                        done: state.pos(),
                        total,
                        elapsed: state.elapsed(),
                        left: state.eta(),
                        message: &message,
                    };
                    let _ = out.write_str(&shown.line(width().unwrap_or(80)));
                }),
            );
        }
        Self {
            bar: screen().add(bar),
            message,
        }
    }

    /// A step is done.
    pub(super) fn step(&self, report: &StepReport) {
        let text = format!("epoch {}, loss {:.4}", report.epoch, report.loss);
        *self.message.lock().unwrap_or_else(PoisonError::into_inner) = text;
        self.bar.set_position(report.step);
    }

    /// Takes it away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What the line tells.
struct Shown<'a> {
    done: u64,
    total: u64,
    elapsed: Duration,
    left: Duration,
    message: &'a str,
}

impl Shown<'_> {
    /// In fewer than `width` columns: on a narrow terminal the bar goes first, then words.
    fn line(&self, width: usize) -> String {
        const LONGEST: usize = 30;
        const SHORTEST: usize = 10;
        let room = width.saturating_sub(1);
        let Self {
            done, total, message, ..
        } = self;
        let left = clock(self.left);
        let text = format!("{done}/{total} steps {}<{left} {message}", clock(self.elapsed));
        let length = text.chars().count();
        if room > length + SHORTEST {
            let bar = (room - length - 1).min(LONGEST);
            let full = (bar as u64 * done / (*total).max(1)).min(bar as u64) as usize;
            return format!("{}{} {text}", "█".repeat(full), "░".repeat(bar - full));
        }
        let text = if length <= room {
            text
        } else {
            format!("{done}/{total} {left} {message}")
        };
        text.chars().take(room).collect()
    }
}

/// `1:02:03`, `02:03`
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits() {
        let shown = Shown {
            done: 460,
            total: 920,
            elapsed: Duration::from_secs(65),
            left: Duration::from_secs(3_700),
            message: "epoch 20, loss 0.0412",
        };
        let bar = "█".repeat(15) + &"░".repeat(15);
        let text = "460/920 steps 01:05<1:01:40 epoch 20, loss 0.0412";
        assert_eq!(shown.line(120), format!("{bar} {text}"));
        assert!(shown.line(80).starts_with('█') && shown.line(80).ends_with(text));
        assert_eq!(shown.line(60), text);
        assert_eq!(shown.line(40), "460/920 1:01:40 epoch 20, loss 0.0412");
        for width in 1..130 {
            assert!(shown.line(width).chars().count() < width);
        }
    }
}
