//! The lines of a run on a terminal: how far it is, how well it learns, and what each worker does.
//!
//! ```text
//! epoch 20/40  step 460/920  ██████████░░░░░░░░░░  01:05 passed  01:04 left
//! loss 0.0412  accuracy 98.61 %  6,171 images/s
//! worker  busy  staleness  stored inputs  gain
//! 1       94 %          1        16.4 kB  0.931
//! 2       86 %          0            0 B      -
//! ```

use super::screen::{self, width};
use super::seen::Seen;
use dtrp_text::units::{bytes, percent, rate};
use dtrp_train::WorkerReport;
use std::time::{Duration, Instant};

/// How often the lines are drawn at most.
const DRAWN_EVERY: Duration = Duration::from_millis(50);

/// The lines, on the terminal behind stderr.
pub(super) struct Bar {
    drawn: Option<Instant>,
}

impl Bar {
    /// Nothing is drawn yet.
    pub(super) fn new() -> Self {
        Self { drawn: None }
    }

    /// Draws what is seen, if that was not done just now.
    pub(super) fn show(&mut self, seen: &Seen) {
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= DRAWN_EVERY) {
            self.drawn = Some(Instant::now());
            screen::show(lines(seen, width().unwrap_or(80), screen::height()));
        }
    }
}

/// In fewer than `width` columns and `height` rows.
fn lines(seen: &Seen, width: usize, height: usize) -> Vec<String> {
    let room = width.saturating_sub(1);
    let mut all = vec![way(seen, room), learning(seen, room)];
    let table = workers(&seen.workers, room);
    let rows = height.saturating_sub(1 + all.len());
    if table.len() <= rows {
        all.extend(table);
    } else if rows > 2 {
        let left_out = table.len() + 1 - rows;
        all.extend(table.into_iter().take(rows - 1));
        all.push(format!("and {left_out} more workers"));
    }
    let fitting = |line: String| line.chars().take(room).collect();
    all.into_iter().map(fitting).collect()
}

/// How far the run is. On a narrow terminal the time that has passed goes first, then the bar.
fn way(seen: &Seen, room: usize) -> String {
    const LONGEST: usize = 30;
    const SHORTEST: usize = 10;
    let Seen { epoch, step, steps, .. } = seen;
    let start = format!("epoch {epoch}/{}  step {step}/{steps}", seen.epochs);
    let left = format!("{} left", clock(seen.left));
    let passed = format!("{} passed  {left}", clock(seen.passed));
    for end in [passed, left.clone()] {
        let length = start.chars().count() + end.chars().count() + 4;
        if room >= length + SHORTEST {
            let bar = (room - length).min(LONGEST);
            let full = (bar as u64 * step / (*steps).max(1)).min(bar as u64) as usize;
            return format!("{start}  {}{}  {end}", "█".repeat(full), "░".repeat(bar - full));
        }
    }
    format!("{start}  {left}")
}

/// How well it learns, and how fast.
fn learning(seen: &Seen, room: usize) -> String {
    let loss = seen.loss.map_or("-".to_owned(), |loss| format!("{loss:.4}"));
    let accuracy = percent(seen.accuracy, 2);
    let images = seen.images_per_second.map_or("-".to_owned(), rate);
    let text = format!("loss {loss}  accuracy {accuracy}  {images} images/s");
    if text.chars().count() <= room {
        return text;
    }
    format!("loss {loss}  {accuracy}  {images}/s")
}

/// What each worker does, below a line that says what is what.
fn workers(workers: &[Option<WorkerReport>], room: usize) -> Vec<String> {
    const LONG: [&str; 5] = ["worker", "busy", "staleness", "stored inputs", "gain"];
    const SHORT: [&str; 5] = ["worker", "busy", "stale", "stored", "gain"];
    let row = |(number, worker): (usize, &Option<WorkerReport>)| {
        let of = |text: &dyn Fn(&WorkerReport) -> String| worker.as_ref().map_or("-".to_owned(), text);
        [
            number.to_string(),
            of(&|worker| percent(Some(worker.busy_share), 0)),
            of(&|worker| worker.staleness_max.to_string()),
            of(&|worker| bytes(worker.stored_input_peak_bytes)),
            of(&|worker| {
                worker
                    .prediction_gain
                    .map_or("-".to_owned(), |gain| format!("{gain:.3}"))
            }),
        ]
    };
    let rows: Vec<_> = (1..).zip(workers).map(row).collect();
    let written = |header: [&str; 5]| {
        let all = std::iter::once(header.map(str::to_owned)).chain(rows.iter().cloned());
        let all: Vec<_> = all.collect();
        let wide = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(wide);
        let line = |row: &[String; 5]| {
            let [worker, others @ ..] = row;
            let mut line = format!("{worker:<width$}", width = widths[0]);
            for (cell, width) in others.iter().zip(&widths[1..]) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            line
        };
        all.iter().map(line).collect::<Vec<_>>()
    };
    let long = written(LONG);
    if long.iter().all(|line| line.chars().count() <= room) {
        return long;
    }
    written(SHORT)
}

/// `1:02:03`, `02:03`
pub(super) fn clock(time: Option<Duration>) -> String {
    let Some(time) = time else {
        return "--:--".to_owned();
    };
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

    fn seen(workers: usize) -> Seen {
        let worker = |number: usize| WorkerReport {
            busy_share: 0.9,
            staleness_max: (workers - number) as u32,
            stored_input_peak_bytes: 16_384 * (workers - number) as u64,
            prediction_gain: (number < workers).then_some(0.931),
        };
        let mut seen = Seen::new(920);
        (seen.epochs, seen.epoch, seen.step) = (40, 20, 460);
        (seen.loss, seen.accuracy, seen.images_per_second) = (Some(0.041_23), Some(0.9861), Some(6171.0));
        (seen.passed, seen.left) = (Some(Duration::from_secs(65)), Some(Duration::from_secs(3_700)));
        seen.workers = (1..=workers).map(|number| Some(worker(number))).collect();
        seen
    }

    #[test]
    fn lines_as_they_are_shown() {
        let bar = "█".repeat(10) + &"░".repeat(10);
        let expected = [
            &format!("epoch 20/40  step 460/920  {bar}  01:05 passed  1:01:40 left"),
            "loss 0.0412  accuracy 98.61 %  6,171 images/s",
            "worker  busy  staleness  stored inputs   gain",
            "1       90 %          1        16.4 kB  0.931",
            "2       90 %          0            0 B      -",
        ];
        assert_eq!(lines(&seen(2), 76, 24), expected);
        let expected = [
            "epoch 20/40  step 460/920  1:01:40 left",
            "loss 0.0412  98.61 %  6,171/s",
            "worker  busy  stale   stored   gain",
            "1       90 %      1  16.4 kB  0.931",
            "2       90 %      0      0 B      -",
        ];
        assert_eq!(lines(&seen(2), 40, 24), expected);
        // Before the first epoch.
        let mut new = Seen::new(920);
        new.workers = vec![None];
        let expected = [
            "worker  busy  staleness  stored inputs  gain",
            "1          -          -              -     -",
        ];
        assert_eq!(lines(&new, 80, 24)[2..], expected);
    }

    #[test]
    fn lines_fit_every_terminal() {
        for (workers, height) in [(2, 24), (16, 24), (40, 24), (3, 4), (2, 1)] {
            for width in 1..130 {
                let lines = lines(&seen(workers), width, height);
                assert!(lines.iter().all(|line| line.chars().count() < width), "{width}");
                assert!(lines.len() < height.max(3), "{height}");
            }
        }
        assert_eq!(lines(&seen(40), 80, 24).last().unwrap(), "and 21 more workers");
        assert_eq!(lines(&seen(20), 80, 24).len(), 23);
    }
}
